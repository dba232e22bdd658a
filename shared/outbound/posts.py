"""Posting to a URL the world gave us: guarded, bounded in time and in bytes, never redirected, never retried."""

import asyncio
import functools
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from shared.outbound import clients, targets

TOTAL_SECONDS = 20.0
HEAD_BYTES = 16 * 1024
CHECKED_URLS = 10_000
SHOWN_HEADERS = ("content-type", "retry-after", "location", "server", "webhook-delivery")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `head` is at most the first 16 KB of the body."""

    status: int
    headers: Mapping[str, str]
    head: bytes


@dataclass(frozen=True, slots=True)
class Posted:
    """One post: an answer, or a class of error from a small set; how long it took and whom it reached."""

    answer: Answer | None
    error: str | None
    duration_seconds: float
    address: str | None


class _Response(aiohttp.ClientResponse):
    """Remembers the address at the other end: once the body is read, the connection is gone from the response."""

    peer: str | None = None

    async def start(self, connection: Any) -> aiohttp.ClientResponse:  # noqa: ANN401 - aiohttp's own class
        peer = connection.transport.get_extra_info("peername") if connection.transport else None
        self.peer = str(peer[0]) if peer else None
        return await super().start(connection)


class Poster:
    """One a process; needs a running loop. Connections are kept and shared by all posts to a host."""

    def __init__(
        self, guard: targets.Guard, *, tls: ssl.SSLContext | None = None, total_seconds: float = TOTAL_SECONDS
    ) -> None:
        # What can be told without a name server stays true; the address is vetted at every connection.
        self._checked = functools.lru_cache(CHECKED_URLS)(guard.check)
        self._tls: ssl.SSLContext | bool = tls or True
        self._total_seconds = total_seconds
        self._session = aiohttp.ClientSession(
            connector=clients.guarded_connector(guard),
            response_class=_Response,
            auto_decompress=False,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=clients.CONNECT_SECONDS),
        )

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Posted:
        """Post once; the answer's body included it takes `total_seconds` at most. Never raises for what the network
        or the other side does.
        """
        began, dialled = time.monotonic(), list[str]()
        token = clients.dialled.set(dialled)
        try:
            async with asyncio.timeout(self._total_seconds):
                answer, peer = await self._post_on_a_live_line(url, headers, body, dialled)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Posted(None, _classify(error), time.monotonic() - began, dialled[-1] if dialled else None)
        finally:
            clients.dialled.reset(token)
        return Posted(answer, None, time.monotonic() - began, peer)

    async def close(self) -> None:
        """Close every connection. May be repeated."""
        await self._session.close()

    async def _post_on_a_live_line(
        self, url: str, headers: Mapping[str, str], body: bytes, dialled: list[str]
    ) -> tuple[Answer, str | None]:
        try:
            return await self._post(url, headers, body)
        except (aiohttp.ServerDisconnectedError, ConnectionError):
            if dialled:
                raise
            # A kept connection that the other side had closed meanwhile says nothing about the receiver.
            return await self._post(url, headers, body)

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[Answer, str | None]:
        target = self._checked(url)
        # Of plain bytes aiohttp would look for the payload class first, as for whatever one may send.
        payload = aiohttp.BytesPayload(body)
        async with self._session.post(
            target, data=payload, headers=headers, allow_redirects=False, ssl=self._tls
        ) as response:
            head, whole = await _read_head(response)
            if not whole:
                response.close()  # not read to its end, so not to be used again
            shown = {name: response.headers[name][:500] for name in SHOWN_HEADERS if name in response.headers}
            return Answer(response.status, shown, head), getattr(response, "peer", None)


async def _read_head(response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    """The first bytes of the body, and whether that was all of it."""
    head = bytearray()
    async for chunk in response.content.iter_any():
        head += chunk
        if len(head) > HEAD_BYTES:
            return bytes(head[:HEAD_BYTES]), False
    return bytes(head), True


def _classify(error: BaseException) -> str:
    """A name for what went wrong, without the URL: that may hold a secret."""
    if (broken := targets.broken_rule(error)) is not None:
        return broken.rule
    return next((name for name, classes in _CLASSES if isinstance(error, classes)), "bad_answer")


# The first that fits: some are kinds of others.
_CLASSES: tuple[tuple[str, tuple[type[BaseException], ...]], ...] = (
    ("tls", (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError, ssl.SSLError)),
    ("connect_timeout", (aiohttp.ConnectionTimeoutError,)),
    ("timeout", (TimeoutError,)),
    ("connect", (aiohttp.ClientConnectorError,)),
    ("disconnected", (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, ConnectionError)),
)
