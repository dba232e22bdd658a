"""Fetching results from servers that do not keep to the rules: it ends, and with an error that says what to do next."""

import asyncio

import pytest

from shared.outbound import addresses, downloads, targets
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
