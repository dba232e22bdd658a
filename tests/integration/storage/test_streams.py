"""Streaming into a real S3 server: any length, bounded memory, and nothing left behind when it fails."""

import asyncio
import hashlib
import random
import threading
from collections.abc import AsyncIterator
from typing import Any

import psutil
import pytest

from shared.storage import objects, troubles, uploads
from tests.integration.storage import conftest

MEBIBYTE = 1024 * 1024
PIECE = random.Random(1).randbytes(MEBIBYTE)  # noqa: S311 - filling
PLENTY = 1024 * MEBIBYTE


async def pieces(size_bytes: int, chunk_bytes: int = MEBIBYTE) -> AsyncIterator[bytes]:
    """A body of that length; every piece differs from the one before."""
    for start in range(0, size_bytes, chunk_bytes):
        turn = start // chunk_bytes % 255 + 1
        yield (PIECE[turn:] + PIECE[:turn])[: min(chunk_bytes, size_bytes - start)]


async def read(store: objects.Objects, key: str) -> bytes:
    return b"".join([chunk async for chunk in (await store.open(key)).chunks])


@pytest.mark.parametrize(
    "size_bytes",
    [0, 1, uploads.PART_BYTES - 1, uploads.PART_BYTES, uploads.PART_BYTES + 1, 3 * uploads.PART_BYTES + 7],
)
async def test_a_stream_of_any_length_arrives_whole(
    store: objects.Objects, peek: conftest.Peek, size_bytes: int
) -> None:
    key = f"streams/{size_bytes}"
    body = b"".join([piece async for piece in pieces(size_bytes, 700_001)])
    stored = await store.put_stream(key, pieces(size_bytes, 700_001), "video/mp4", PLENTY, {"job": "job_1"})
    assert stored == uploads.Stored(key, size_bytes, hashlib.sha256(body).hexdigest())
    assert await read(store, key) == body
    head = await store.head(key)
    assert (head.size_bytes, head.media_type, head.metadata) == (size_bytes, "video/mp4", {"job": "job_1"})
    assert await peek.open_uploads("streams/") == []


async def test_one_huge_chunk_is_cut_into_parts(store: objects.Objects) -> None:
    async def one() -> AsyncIterator[bytes]:
        yield PIECE * 20

    stored = await store.put_stream("streams/huge", one(), "video/mp4", PLENTY)
    assert stored.size_bytes == 20 * MEBIBYTE
    assert hashlib.sha256(await read(store, "streams/huge")).hexdigest() == stored.sha256


async def test_memory_stays_bounded_over_200_mib(store: objects.Objects) -> None:
    process = psutil.Process()
    await store.put_stream("streams/warm", pieces(24 * MEBIBYTE), "video/mp4", PLENTY)
    before, most = process.memory_info().rss, 0

    async def watched() -> AsyncIterator[bytes]:
        nonlocal most
        async for piece in pieces(200 * MEBIBYTE):
            most = max(most, process.memory_info().rss)
            yield piece

    stored = await store.put_stream("streams/big", watched(), "video/mp4", PLENTY)
    assert stored.size_bytes == 200 * MEBIBYTE
    assert (await store.head("streams/big")).size_bytes == stored.size_bytes
    assert most - before < 64 * MEBIBYTE
    await store.delete(["streams/big"])


@pytest.mark.parametrize("limit_bytes", [1000, 20 * MEBIBYTE])
async def test_past_the_cap_nothing_is_left(store: objects.Objects, peek: conftest.Peek, limit_bytes: int) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += MEBIBYTE
            yield PIECE

    with pytest.raises(troubles.TooBigError):
        await store.put_stream("capped/object", endless(), "video/mp4", limit_bytes)
    assert taken <= limit_bytes + MEBIBYTE
    assert await peek.keys("capped/") == []
    assert await peek.open_uploads("streams/") == []


async def test_exactly_the_cap_is_allowed(store: objects.Objects) -> None:
    stored = await store.put_stream("streams/exact", pieces(9 * MEBIBYTE), "video/mp4", 9 * MEBIBYTE)
    assert stored.size_bytes == 9 * MEBIBYTE


@pytest.mark.parametrize("after_bytes", [MEBIBYTE, 30 * MEBIBYTE])
async def test_a_broken_stream_leaves_what_was_there(
    store: objects.Objects, peek: conftest.Peek, after_bytes: int
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        async for piece in pieces(after_bytes):
            yield piece
        raise ConnectionResetError("the provider hung up")

    await store.put("broken/object", b"the one before", "text/plain")
    with pytest.raises(ConnectionResetError):
        await store.put_stream("broken/object", broken(), "video/mp4", PLENTY)
    assert await read(store, "broken/object") == b"the one before"
    assert await peek.open_uploads("broken/") == []


async def test_a_cancelled_upload_leaves_nothing(store: objects.Objects, peek: conftest.Peek) -> None:
    parts_are_sent = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        async for piece in pieces(40 * MEBIBYTE):
            yield piece
        parts_are_sent.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(store.put_stream("cancelled/object", stuck(), "video/mp4", PLENTY))
    async with asyncio.timeout(30):
        await parts_are_sent.wait()
    assert await peek.open_uploads("cancelled/") == ["cancelled/object"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await peek.open_uploads("cancelled/") == []
    assert await peek.keys("cancelled/") == []


async def test_the_abort_comes_after_the_parts_on_the_line(
    store: objects.Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that lands after the abort would lie in the bucket, paid for and seen by nobody."""
    ends: list[str] = []
    aborted, client = threading.Event(), store._bucket.client  # noqa: SLF001
    send, abort = client.upload_part, client.abort_multipart_upload

    def slow_part(**arguments: Any) -> Any:
        aborted.wait(0.3)  # a wrong abort comes at once; a right one never comes before we return
        answer = send(**arguments)
        ends.append("part")
        return answer

    def noted_abort(**arguments: Any) -> Any:
        aborted.set()
        ends.append("abort")
        return abort(**arguments)

    monkeypatch.setattr(client, "upload_part", slow_part)
    monkeypatch.setattr(client, "abort_multipart_upload", noted_abort)
    with pytest.raises(troubles.TooBigError):
        await store.put_stream("late/object", pieces(30 * MEBIBYTE), "video/mp4", 17 * MEBIBYTE)
    assert ends == ["part", "part", "abort"]


async def test_at_most_two_parts_are_on_the_line(store: objects.Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    most, now = 0, 0
    real = uploads._Multipart._send  # noqa: SLF001

    async def counted(upload: uploads._Multipart, number: int, body: bytearray) -> None:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await real(upload, number, body)
        now -= 1

    monkeypatch.setattr(uploads._Multipart, "_send", counted)  # noqa: SLF001
    await store.put_stream("streams/counted", pieces(80 * MEBIBYTE), "video/mp4", PLENTY)
    assert most == uploads.PARTS_IN_FLIGHT
