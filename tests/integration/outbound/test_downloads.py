"""Fetching results from servers that do not keep to the rules: it ends, and with an error that says what to do next."""

import asyncio
import gzip
import random

import pytest

from shared.outbound import addresses, downloads, encodings, targets
from tests.integration.outbound import test_leaving

LOOPBACK = addresses.parse_networks(["127.0.0.0/8"])
GUARD = targets.Guard(LOOPBACK, LOOPBACK, allow_http=True, ports=frozenset())
WAIT_SECONDS = 30
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def fetched(url: str) -> bytes:
    downloader = downloads.Downloader(frozenset(), GUARD)
    try:
        async with asyncio.timeout(WAIT_SECONDS), downloader.fetch(url, {}) as download:
            return b"".join([chunk async for chunk in download.chunks])
    finally:
        await downloader.close()


@pytest.mark.parametrize(
    ("path", "asked"),
    [("Früh?q=ä", b"/Fr%C3%BCh?q=%C3%A4"), ("a%20b?X-Signature=%2B%2f+~", b"/a%20b?X-Signature=%2B%2f+~")],
)
async def test_only_what_cannot_go_over_the_line_is_quoted(path: str, asked: bytes) -> None:
    async with test_leaving.listening(OK) as listener:
        assert await fetched(listener.url + path) == b"ok"
        assert listener.heard[0].split(b" ")[1] == asked


def answer(body: bytes, encoding: str) -> bytes:
    """As a proxy sends it that kept what it had: the length is that of these bytes."""
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


TEXT = b"a line of a text\n" * 100_000
NOISE = random.Random(1).randbytes(400_000)  # noqa: S311 - not a secret


@pytest.mark.parametrize("text", [b"x", TEXT, NOISE, b""])
@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip", "aws-chunked,gzip"])
async def test_what_comes_compressed_is_unpacked_though_nobody_asked_for_it(text: bytes, encoding: str) -> None:
    async with test_leaving.listening(
        answer(gzip.compress(text) + gzip.compress(text) + bytes(600), encoding)
    ) as listener:
        assert await fetched(listener.url) == text * 2
        assert b"accept-encoding: identity" in listener.heard[0].lower()


@pytest.mark.parametrize("encoding", ["identity", "aws-chunked"])
async def test_what_is_not_compressed_is_left_as_it_is(encoding: str) -> None:
    packed = gzip.compress(TEXT)
    async with test_leaving.listening(answer(packed, encoding)) as listener:
        assert await fetched(listener.url) == packed


@pytest.mark.parametrize("missing", [1, 8, 9, 500, len(gzip.compress(NOISE)) - 1])
async def test_a_compressed_body_that_was_cut_short_is_no_body(missing: int) -> None:
    """Half a text is a text, and half a file of rows is one, too: nobody would notice later."""
    async with test_leaving.listening(answer(gzip.compress(NOISE)[:-missing], "gzip")) as listener:
        with pytest.raises(downloads.DownloadError, match="cut short"):
            await fetched(listener.url)


@pytest.mark.parametrize(("body", "encoding"), [(b"plain", "gzip"), (gzip.compress(TEXT) + b"x", "gzip"), (b"x", "br")])
async def test_a_body_that_cannot_be_unpacked_is_no_body(body: bytes, encoding: str) -> None:
    async with test_leaving.listening(answer(body, encoding)) as listener:
        with pytest.raises(downloads.DownloadError, match="unpacked"):
            await fetched(listener.url)


def test_a_small_body_that_means_a_large_one_comes_in_pieces() -> None:
    pieces = list(encodings.Body("gzip").unpack(gzip.compress(bytes(100_000_000))))
    assert sum(map(len, pieces)) == 100_000_000
    assert max(map(len, pieces)) <= encodings.PIECE_BYTES


def test_members_without_content_do_not_go_on_for_ever() -> None:
    with pytest.raises(encodings.EncodingError, match="nothing"):
        list(encodings.Body("gzip").unpack(gzip.compress(b"") * 2 * encodings.MOST_EMPTY))


async def test_a_redirect_to_no_url_is_refused() -> None:
    async with test_leaving.listening(b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n") as listener:
        with pytest.raises(downloads.ForbiddenUrlError):
            await fetched(listener.url)


async def test_a_body_that_turns_into_nonsense_ends_the_download(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an error of its parser in the middle of a body, aiohttp's own limits never end the waiting."""
    monkeypatch.setattr(downloads, "STALL_SECONDS", 0.2)
    read_on = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await writer.drain()
        await read_on.wait()
        writer.write(b"zz\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    downloader = downloads.Downloader(frozenset(), GUARD)
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            async with downloader.fetch(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", {}) as download:
                assert await anext(download.chunks) == b"abc"
                read_on.set()
                with pytest.raises(downloads.DownloadError):
                    await anext(download.chunks)
    finally:
        await downloader.close()
        server.close()
