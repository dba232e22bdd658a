"""Small objects on a real S3 server: put, read, ranges, signed URLs, delete."""

import asyncio
import hashlib
from pathlib import Path

import httpx
import pytest

from shared.storage import bucket, objects, puts, troubles
from tests.integration.storage import conftest

BODY = bytes(range(256)) * 4


async def fetch(url: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(url, headers=headers)


async def read(store: objects.Objects, key: str, byte_range: str | None = None) -> bytes:
    download = await store.open(key, byte_range)
    return b"".join([chunk async for chunk in download.chunks])


async def test_what_is_put_can_be_read_and_asked_about(store: objects.Objects) -> None:
    stored = await store.put("small/one.bin", BODY, "image/png", {"job": "job_1"})
    assert (stored.key, stored.size_bytes) == ("small/one.bin", len(BODY))
    assert stored.sha256 == hashlib.sha256(BODY).hexdigest()
    head = await store.head("small/one.bin")
    assert (head.size_bytes, head.media_type, head.metadata) == (len(BODY), "image/png", {"job": "job_1"})
    assert await read(store, "small/one.bin") == BODY


async def test_a_second_put_overwrites(store: objects.Objects) -> None:
    await store.put("small/again.txt", b"first, and longer", "text/plain")
    await store.put("small/again.txt", b"second", "text/plain")
    assert await read(store, "small/again.txt") == b"second"


async def test_a_download_carries_the_headers_to_pass_on(store: objects.Objects) -> None:
    await store.put("small/headers.bin", BODY, "video/mp4")
    whole = await store.open("small/headers.bin")
    assert whole.status == 200
    assert whole.headers["Content-Length"] == "1024"
    assert whole.headers["Content-Type"] == "video/mp4"
    assert "Content-Range" not in whole.headers
    assert [len(chunk) async for chunk in whole.chunks] == [1024]


@pytest.mark.parametrize(
    ("wanted", "begin", "end"), [("bytes=0-0", 0, 1), ("bytes=100-199", 100, 200), ("bytes=-10", 1014, 1024)]
)
async def test_a_range_is_partial_content(store: objects.Objects, wanted: str, begin: int, end: int) -> None:
    await store.put("small/range.bin", BODY, "video/mp4")
    part = await store.open("small/range.bin", wanted)
    assert part.status == 206
    assert part.headers["Content-Range"] == f"bytes {begin}-{end - 1}/1024"
    assert part.headers["Content-Length"] == str(end - begin)
    assert b"".join([chunk async for chunk in part.chunks]) == BODY[begin:end]


async def test_a_range_outside_is_an_error_of_its_own(store: objects.Objects) -> None:
    await store.put("small/short.bin", BODY, "video/mp4")
    with pytest.raises(troubles.BadRangeError):
        await store.open("small/short.bin", "bytes=5000-6000")


async def test_a_missing_object_is_an_error_of_its_own(store: objects.Objects, tmp_path: Path) -> None:
    with pytest.raises(troubles.ObjectMissingError):
        await store.head("small/never")
    with pytest.raises(troubles.ObjectMissingError):
        await store.open("small/never")
    with pytest.raises(troubles.ObjectMissingError):
        await store.download_to("small/never", tmp_path / "never")
    assert not (tmp_path / "never").exists()


async def test_an_object_can_be_taken_to_a_file(store: objects.Objects, tmp_path: Path) -> None:
    body = BODY * 3000
    await store.put("small/file.bin", body, "video/mp4")
    assert await store.download_to("small/file.bin", tmp_path / "taken") == len(body)
    assert (tmp_path / "taken").read_bytes() == body


async def test_delete_takes_more_than_one_request_can(store: objects.Objects, peek: conftest.Peek) -> None:
    ends = ["gone/0000", "gone/1499"]
    for key in ends:
        await store.put(key, b"x", "text/plain")
    assert await peek.keys("gone/") == ends
    await store.delete([f"gone/{number:04d}" for number in range(1500)])
    assert await peek.keys("gone/") == []
    await store.delete(ends)
    await store.delete([])


async def test_a_signed_url_gives_the_object_under_its_name(store: objects.Objects) -> None:
    await store.put("small/signed.mp4", BODY, "application/octet-stream")
    url = await store.sign("small/signed.mp4", 60, "Früh am Morgen.mp4", "video/mp4")
    answer = await fetch(url)
    assert (answer.status_code, answer.content) == (200, BODY)
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=\"Fr_h am Morgen.mp4\"; filename*=UTF-8''Fr%C3%BCh%20am%20Morgen.mp4"
    )
    inline = await fetch(await store.sign("small/signed.mp4", 60, "a.mp4", "video/mp4", inline=True))
    assert inline.headers["Content-Disposition"].startswith("inline;")


async def test_a_signed_url_serves_ranges(store: objects.Objects) -> None:
    await store.put("small/seek.mp4", BODY, "video/mp4")
    answer = await fetch(await store.sign("small/seek.mp4", 60, "a.mp4", "video/mp4"), Range="bytes=10-19")
    assert (answer.status_code, answer.content) == (206, BODY[10:20])


async def test_a_tampered_signed_url_is_refused(store: objects.Objects) -> None:
    await store.put("small/mine.mp4", BODY, "video/mp4")
    await store.put("small/other.mp4", BODY, "video/mp4")
    url = await store.sign("small/mine.mp4", 60, "a.mp4", "video/mp4")
    assert (await fetch(url)).status_code == 200
    head, signature = url.split("X-Amz-Signature=")
    changed = "0" if signature[0] != "0" else "1"
    assert (await fetch(f"{head}X-Amz-Signature={changed}{signature[1:]}")).status_code == 403
    assert (await fetch(url.replace("mine.mp4", "other.mp4"))).status_code == 403
    assert (await fetch(url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"))).status_code == 403
    assert (await fetch(url.split("?")[0])).status_code == 403


async def test_what_the_quick_way_does_not_get_through_boto_stores(location: bucket.Location) -> None:
    """The quick way signs for itself; with a wrong secret the server refuses it, and it is left alone for a while."""
    opened = objects.Objects(location)
    try:
        line = opened._bucket  # noqa: SLF001 - there is no other way to spoil only one of the two
        assert await line.puts.put(line.of("small/quick.bin"), "small/quick.bin", "image/png", BODY)
        line.puts = puts.Puts(location.endpoint_url, location.region, location.access_key_id, "wrong")
        await opened.put("small/slow.bin", BODY[:100], "image/png")
        assert not await line.puts.put(line.of("small/slow.bin"), "small/slow.bin", "image/png", b"never sent")
        assert await read(opened, "small/slow.bin") == BODY[:100]
        head = await opened.head("small/quick.bin")
        assert (head.size_bytes, head.media_type) == (len(BODY), "image/png")
    finally:
        opened.close()


async def test_the_quick_way_takes_names_that_must_be_quoted(store: objects.Objects) -> None:
    await store.put("small/A b+c%20ü~.txt", b"odd", "text/plain; charset=utf-8")
    assert await read(store, "small/A b+c%20ü~.txt") == b"odd"


@pytest.mark.parametrize("status", ["303 See Other", "302 Found"])
async def test_the_quick_way_is_sent_nowhere_else(status: str) -> None:
    """Say, a proxy's page to log in: that it is there to be read does not make it an object stored."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        head = "200 OK" if b" /login " in asked else f"{status}\r\nLocation: /login"
        writer.write(f"HTTP/1.1 {head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    line = puts.Puts(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "us-east-1", "key", "secret")
    try:
        assert not await line.put("bucket", "small/one.bin", "image/png", BODY)
    finally:
        line.close()
        server.close()
