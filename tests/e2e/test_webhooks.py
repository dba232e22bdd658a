"""Workers that are killed while they deliver lose nothing (P5): the whole stack, and a receiver outside it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
import pytest

from cli import client
from cli.stack import stack
from tests.integration.webhooks import desk

JOBS = 60
VIDEO = {"model": "sandbox/video", "prompt": "a heron", "duration": 1, "size": "640x360"}
ENDS = frozenset({"job.completed", "job.failed", "job.expired", "job.cancelled"})
LOCAL: Mapping[str, str] = {
    "GENQUEUE_LEASE_SECONDS": "4",
    "GENQUEUE_ALLOWED_NETWORKS": '["127.0.0.0/8"]',
    "GENQUEUE_ALLOWED_LOCAL_NETWORKS": '["127.0.0.0/8"]',
    "GENQUEUE_ALLOW_PLAIN_HTTP": "true",
    "GENQUEUE_OUTBOUND_PORTS": "[]",
    "GENQUEUE_SECRET_KEY": "a key of the test's own",
    "GENQUEUE_WEBHOOK_RETRY_SECONDS": "[1, 1, 1, 2, 2, 2, 2, 2, 2]",
}


@pytest.fixture(scope="module")
async def local(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[stack.Stack]:
    folder: Path = tmp_path_factory.mktemp("webhooks") / "data"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]  # not the usual one, which every stack of this machine tries first
    local = stack.Stack(data_dir=folder, port=port, workers=2, usual_ports=False, temporary=True, environ=LOCAL)
    async with local as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[desk.Desk]:
    async with desk.opened() as made:
        yield made


@pytest.mark.timeout(240)
async def test_killing_workers_while_they_send_loses_no_event(local: stack.Stack, receiver: desk.Desk) -> None:
    wish = {"model": "sandbox/text", "prompt": "a heron", "webhook_url": receiver.url()}
    wish["webhook_events"] = ["job.queued", "job.started", *sorted(ENDS)]  # type: ignore[assignment]
    async with client.Client(local.base_url, local.admin_key) as api:
        receipts = await asyncio.gather(*(api.submit("text", wish) for _ in range(JOBS)))
        for number, after in ((1, 20), (2, 60), (1, 100)):
            await receiver.until(after)
            # Caught with posts on the line: they are answered to nobody.
            receiver.mode = "hang"
            await receiver.until_one_hangs()
            await local.kill(f"worker-{number}")
            receiver.mode = "ok"
            await local.restart(f"worker-{number}")
        wanted = {receipt["id"] for receipt in receipts}
        async with asyncio.timeout(150):
            await receiver.until_told(lambda told: all_told(told, wanted))
    cut_off = {got.event_id for got in receiver.got if got.mode == "hang"}
    assert len(cut_off) >= 3
    assert cut_off <= {got.event_id for got in receiver.good}
    for got in receiver.good:
        assert got.body == next(g.body for g in receiver.got if g.event_id == got.event_id)


async def test_a_stream_tells_of_a_job_from_its_first_event_to_its_last(local: stack.Stack) -> None:
    headers = {"Authorization": f"Bearer {local.admin_key}"}
    async with httpx.AsyncClient(base_url=local.base_url, headers=headers, timeout=60) as http:
        made = await asyncio.gather(*(http.post("/v1/videos", json=VIDEO) for _ in range(10)))
        streams = [follow(http, answer.json()["id"]) for answer in made for _ in range(10)]
        async with asyncio.timeout(100):
            told = await asyncio.gather(*streams)
    assert {tuple(kinds) for kinds in told} == {("job.queued", "job.started", "job.completed")}


async def follow(http: httpx.AsyncClient, job_id: str) -> list[str]:
    async with http.stream("GET", f"/v1/jobs/{job_id}/events") as answer:
        return [line.removeprefix("event: ") async for line in answer.aiter_lines() if line.startswith("event: ")]


def all_told(told: list[desk.Got], wanted: set[str]) -> bool:
    """Whether each job was told of from its first to its last event, without a gap."""
    sequences: dict[str, set[int]] = {}
    ended: dict[str, int] = {}
    for got in told:
        event = got.event
        job_id, sequence = event["data"]["id"], event["data"]["sequence"]
        sequences.setdefault(job_id, set()).add(sequence)
        if event["type"] in ENDS:
            ended[job_id] = sequence
    return all(ended.get(one) and sequences[one] == set(range(1, ended[one] + 1)) for one in wanted)
