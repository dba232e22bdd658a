"""Writing objects: one request for small bodies, a streaming multipart upload for the others."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import structlog

from shared.storage import bucket, troubles

if TYPE_CHECKING:
    from mypy_boto3_s3 import type_defs

PART_BYTES = 8 * 1024 * 1024
PARTS_IN_FLIGHT = 2

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Stored:
    """What lies in the storage now, measured on the way."""

    key: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Target:
    """Where a body goes, and what is written beside it."""

    key: str
    media_type: str
    metadata: Mapping[str, str]


class _Measured:
    """A stream cut into parts, counted and hashed on the way. Raises TooBigError past the limit."""

    def __init__(self, chunks: AsyncIterator[bytes], limit_bytes: int) -> None:
        self._chunks = chunks
        self._limit_bytes = limit_bytes
        self._sha256 = hashlib.sha256()
        self.size_bytes = 0

    async def parts(self) -> AsyncIterator[bytearray]:
        """Bodies of PART_BYTES, the last one shorter; a single empty one for an empty stream. Each is the receiver's:
        nothing is copied, so that memory holds those on the line and the one that fills.
        """
        part = bytearray()
        async for chunk in self._chunks:
            self._count(chunk)
            rest = memoryview(chunk)
            while rest:
                room = PART_BYTES - len(part)
                part += rest[:room]
                rest = rest[room:]
                if len(part) == PART_BYTES:
                    yield part
                    part = bytearray()
        if part or self.size_bytes == 0:
            yield part

    def _count(self, chunk: bytes) -> None:
        self.size_bytes += len(chunk)
        if self.size_bytes > self._limit_bytes:
            raise troubles.TooBigError(f"The body is longer than {self._limit_bytes} bytes; nothing of it was kept.")
        self._sha256.update(chunk)

    def stored(self, key: str) -> Stored:
        return Stored(key, self.size_bytes, self._sha256.hexdigest())


class _Multipart:
    """One multipart upload, with at most PARTS_IN_FLIGHT parts on the line."""

    def __init__(self, place: bucket.Bucket, key: str, upload_id: str) -> None:
        self._place = place
        self._key = key
        self._upload_id = upload_id
        self._sending: set[asyncio.Task[None]] = set()
        self._etags: dict[int, str] = {}
        self._number = 0

    async def add(self, body: bytearray) -> None:
        """Start sending the next part; waits while the line is full. Raises what an earlier part met."""
        while len(self._sending) >= PARTS_IN_FLIGHT:
            await self._settle(asyncio.FIRST_COMPLETED)
        self._number += 1
        self._sending.add(asyncio.create_task(self._send(self._number, body)))

    async def finish(self) -> None:
        """Wait for the parts and make the object of them."""
        while self._sending:
            await self._settle(asyncio.ALL_COMPLETED)
        parts: list[type_defs.CompletedPartTypeDef] = [
            {"PartNumber": number, "ETag": etag} for number, etag in sorted(self._etags.items())
        ]
        await self._place.run(
            lambda: self._place.client.complete_multipart_upload(
                Bucket=self._place.of(self._key),
                Key=self._key,
                UploadId=self._upload_id,
                MultipartUpload={"Parts": parts},
            )
        )

    async def abort(self) -> None:
        """Throw the parts away. Never raises: what is left over is the bucket's lifecycle rule's to remove."""
        # A part that lands after the abort would stay: let those on the line end first.
        await asyncio.gather(*self._sending, return_exceptions=True)
        try:
            await self._place.run(
                lambda: self._place.client.abort_multipart_upload(
                    Bucket=self._place.of(self._key), Key=self._key, UploadId=self._upload_id
                )
            )
        except troubles.StorageError as error:
            log.warning("multipart_abort_failed", key=self._key, reason=error.message)

    async def _send(self, number: int, body: bytearray) -> None:
        # boto3's stubs do not know that it takes these. Bytes it would copy, to send them with the headers.
        part = cast("bytes", body)
        answer = await self._place.run(
            lambda: self._place.client.upload_part(
                Bucket=self._place.of(self._key), Key=self._key, UploadId=self._upload_id, PartNumber=number, Body=part
            )
        )
        self._etags[number] = answer["ETag"]

    async def _settle(self, until: str) -> None:
        done, self._sending = await asyncio.wait(self._sending, return_when=until)
        for task in done:
            task.result()


async def put(place: bucket.Bucket, target: Target, body: bytes) -> None:
    """One PUT, over whatever was there."""
    if not target.metadata and await place.puts.put(place.of(target.key), target.key, target.media_type, body):
        return
    await place.run(
        lambda: place.client.put_object(
            Bucket=place.of(target.key),
            Key=target.key,
            Body=body,
            ContentType=target.media_type,
            Metadata=dict(target.metadata),
        )
    )


async def put_stream(place: bucket.Bucket, target: Target, chunks: AsyncIterator[bytes], limit_bytes: int) -> Stored:
    """See `objects.Objects.put_stream`."""
    measured = _Measured(chunks, limit_bytes)
    parts = measured.parts()
    begun = [part for part in (await anext(parts), await anext(parts, None)) if part is not None]
    if len(begun) == 1:
        await put(place, target, bytes(begun[0]))
    else:
        await _send_parts(place, target, begun, parts)
    return measured.stored(target.key)


async def _send_parts(
    place: bucket.Bucket, target: Target, begun: list[bytearray], parts: AsyncIterator[bytearray]
) -> None:
    upload = await _start(place, target)
    try:
        # Taken out of the list, so that nobody keeps them until the end.
        while begun:
            await upload.add(begun.pop(0))
        async for part in parts:
            await upload.add(part)
        await upload.finish()
    except BaseException:
        # Also when cancelled: whoever waits for us waits for the abort too.
        await asyncio.shield(asyncio.create_task(upload.abort()))
        raise


async def _start(place: bucket.Bucket, target: Target) -> _Multipart:
    answer = await place.run(
        lambda: place.client.create_multipart_upload(
            Bucket=place.of(target.key), Key=target.key, ContentType=target.media_type, Metadata=dict(target.metadata)
        )
    )
    return _Multipart(place, target.key, answer["UploadId"])
