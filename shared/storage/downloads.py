"""Reading objects: as a stream of chunks, or into a file."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared.storage import bucket, troubles

if TYPE_CHECKING:
    from botocore import response
    from mypy_boto3_s3 import type_defs

# Each is a hop to a thread and back: with 256 kB a stream through the API is a third slower.
CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Download:
    """A started download: HTTP status (200, or 206 for a range), the headers to pass on, and the bytes.
    `chunks` raises StorageUnavailableError when the line breaks; closing it lets go of the connection.
    """

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


async def start(place: bucket.Bucket, key: str, byte_range: str | None) -> Download:
    """See `objects.Objects.open`."""
    if byte_range is None:
        answer = await place.run(lambda: place.client.get_object(Bucket=place.of(key), Key=key))
    else:
        answer = await place.run(lambda: place.client.get_object(Bucket=place.of(key), Key=key, Range=byte_range))
    return Download(answer["ResponseMetadata"]["HTTPStatusCode"], _headers(answer), _chunks(place, answer["Body"]))


def _headers(answer: type_defs.GetObjectOutputTypeDef) -> dict[str, str]:
    headers = {
        "Content-Length": str(answer["ContentLength"]),
        "Content-Type": answer["ContentType"],
        "ETag": answer["ETag"],
        "Accept-Ranges": "bytes",
    }
    if "ContentRange" in answer:
        headers["Content-Range"] = answer["ContentRange"]
    return headers


async def _chunks(place: bucket.Bucket, body: response.StreamingBody) -> AsyncIterator[bytes]:
    with contextlib.closing(body):
        while chunk := await place.run(lambda: body.read(CHUNK_BYTES)):
            yield chunk


async def to_file(place: bucket.Bucket, key: str, path: Path) -> int:
    """See `objects.Objects.download_to`."""
    return await place.run(lambda: _copy(place, key, path))


def _copy(place: bucket.Bucket, key: str, path: Path) -> int:
    answer = place.client.get_object(Bucket=place.of(key), Key=key)
    size_bytes = 0
    with contextlib.closing(answer["Body"]) as body, path.open("wb") as file:
        while chunk := body.read(CHUNK_BYTES):
            size_bytes += file.write(chunk)
    if size_bytes != answer["ContentLength"]:
        raise troubles.StorageUnavailableError("The storage sent less than it promised.")
    return size_bytes
