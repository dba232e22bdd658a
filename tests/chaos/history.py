"""What happened, as three witnesses tell it: the public API, the provider's own record, and the bucket."""

import hashlib
import io
import json
from collections import defaultdict
from dataclasses import dataclass, field

import av
import boto3
import botocore.config
import httpx
from PIL import Image

from tests.chaos import customer, load, rig


@dataclass(frozen=True, slots=True)
class Ask:
    """One line of the provider's record."""

    seq: int
    reference: str
    generation: str | None
    model: str
    accepted: bool
    deduplicated: bool
    charged_micros: int
    status: str | None
    answer: str

    @property
    def job_id(self) -> str:
        """Our references are `JOB.NUMBER`."""
        return self.reference.rpartition(".")[0]

    @property
    def number(self) -> int:
        """Which attempt of the job asked."""
        return int(self.reference.rpartition(".")[2])

    @property
    def bought(self) -> bool:
        """Whether this ask, and none before it under the same key, was accepted."""
        return self.accepted and not self.deduplicated


@dataclass(slots=True)
class History:
    """Everything the checker may look at. `bad_bytes` says, by job id, what was wrong with its outputs."""

    book: customer.Book
    asks: list[Ask]
    known_to_api: list[str]
    bad_bytes: dict[str, str] = field(default_factory=dict)
    objects: dict[str, list[int]] = field(default_factory=dict)

    def bought(self) -> dict[str, dict[int, list[Ask]]]:
        """The accepted asks by job and attempt number."""
        found: dict[str, dict[int, list[Ask]]] = defaultdict(lambda: defaultdict(list))
        for ask in self.asks:
            if ask.bought:
                found[ask.job_id][ask.number].append(ask)
        return found


async def gather(watched: rig.Rig, buyer: customer.Customer) -> History:
    """Ask all three witnesses, with everything running and healed."""
    known = await buyer.last_look()
    story = History(buyer.book, await record(watched.running.env["GENQUEUE_SANDBOX_URL"]), known)
    story.objects = _objects(watched)
    for job in buyer.book.last.values():
        if job["status"] == "completed":
            fault = await _fault_of_outputs(buyer, job, buyer.book.orders[job["id"]], story.objects)
            if fault:
                story.bad_bytes[job["id"]] = fault
    return story


async def record(sandbox_url: str) -> list[Ask]:
    """Everything the provider was asked."""
    async with httpx.AsyncClient(base_url=sandbox_url, timeout=60, trust_env=False) as client:
        lines = (await client.get("/record")).raise_for_status().text.splitlines()
    asks = (json.loads(line) for line in lines)
    return [
        Ask(
            seq=ask["seq"],
            reference=ask["reference"],
            generation=ask["id"],
            model=ask["model"],
            accepted=ask["accepted"],
            deduplicated=ask["deduplicated"],
            charged_micros=ask["charged_micros"] or 0,
            status=ask["status"],
            answer=ask["answer"],
        )
        for ask in asks
        if ask["reference"]
    ]


def _objects(watched: rig.Rig) -> dict[str, list[int]]:
    """The sizes of the main objects in the bucket, by job id."""
    env = watched.running.env
    client = boto3.client(
        "s3",
        endpoint_url=env["GENQUEUE_S3_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=env["GENQUEUE_S3_ACCESS_KEY_ID"],
        aws_secret_access_key=env["GENQUEUE_S3_SECRET_ACCESS_KEY"],
        config=botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    found: dict[str, list[int]] = defaultdict(list)
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=env["GENQUEUE_S3_BUCKET"]):
        for item in page.get("Contents", []):
            parts = item["Key"].split("/")
            if len(parts) > 3 and "-main." in parts[-1]:
                found[parts[-3]].append(item["Size"])
    return found


async def _fault_of_outputs(
    buyer: customer.Customer, job: load.Json, order: load.Order, objects: dict[str, list[int]]
) -> str:
    """What is wrong with a completed job's outputs; empty when nothing is."""
    made = job["outputs"]
    if len(made) != order.outputs:
        return f"{len(made)} outputs, {order.outputs} were ordered"
    for output in made:
        body = await buyer.download(output["url"])
        if body is None:
            return f"output {output['number']} cannot be downloaded"
        if output["size_bytes"] not in objects.get(job["id"], []):
            return f"output {output['number']} is not in the bucket with its size"
        fault = fault_of_bytes(body, output, job["kind"])
        if fault:
            return f"output {output['number']} {fault}"
    return ""


def fault_of_bytes(body: bytes, output: load.Json, kind: str) -> str:
    """Whether the bytes are the recorded ones, and open as what they claim to be."""
    if len(body) != output["size_bytes"] or hashlib.sha256(body).hexdigest() != output["sha256"]:
        return "has other bytes than were recorded"
    try:
        _open(body, kind)
    except Exception as error:  # noqa: BLE001 - whatever a decoder raises, it does not open
        return f"does not open: {type(error).__name__}"
    return ""


def _open(body: bytes, kind: str) -> None:
    if kind == "text":
        if not body.decode().strip():
            raise ValueError("empty")
    elif kind == "image":
        with Image.open(io.BytesIO(body)) as picture:
            picture.load()
    else:
        with av.open(io.BytesIO(body), "r") as film:
            frames = film.decode(video=0)
            next(frames)
            next(frames)  # a picture opens as a film, too: one of a single frame
