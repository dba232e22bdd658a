"""The HTTP clients of a process: the httpx API on an aiohttp transport (28 times plain httpx on a wide pool)."""

import contextvars
import ipaddress
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import aiohttp
import httpx
import httpx_aiohttp

from shared import clock
from shared.outbound import addresses

CONNECT_SECONDS = 5.0


class BlockedAddressError(OSError):
    """The address is private, local or reserved; outbound requests may not go there."""


class TooLateError(aiohttp.ConnectionTimeoutError):
    """The time in which the request had to leave was over; not a byte of it was sent."""


_leave_by: contextvars.ContextVar[datetime | None] = contextvars.ContextVar("leave_by", default=None)


@contextmanager
def leaving_by(moment: datetime) -> Iterator[None]:
    """Requests made in the block leave before `moment`, or not at all. Looked at after the connection is made and
    just before the first byte: a process may be frozen anywhere, and wake up when others have drawn conclusions.
    """
    token = _leave_by.set(moment)
    try:
        yield
    finally:
        _leave_by.reset(token)


async def _check_the_time(*_: object) -> None:
    moment = _leave_by.get()
    if moment is not None and clock.now() >= moment:
        raise TooLateError


def provider_client(*, keep_alive: bool = True) -> httpx.AsyncClient:
    """A client for hosts the operator has configured. No redirects, no proxies from the environment, no retries."""
    return _client(lambda: aiohttp.TCPConnector(limit=0, force_close=not keep_alive))


def guarded_client(allowed_networks: Sequence[addresses.Network]) -> httpx.AsyncClient:
    """A client for URLs the world gives us: every address it connects to is vetted, literals included."""

    def vetted_socket(info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        if not addresses.is_allowed(ipaddress.ip_address(str(address[0]).partition("%")[0]), allowed_networks):
            raise BlockedAddressError(f"{address[0]} is not a public address")
        return socket.socket(family, kind, protocol)

    return _client(lambda: aiohttp.TCPConnector(limit=0, socket_factory=vetted_socket))


def _client(connector: Callable[[], aiohttp.TCPConnector]) -> httpx.AsyncClient:
    trace = aiohttp.TraceConfig()
    # In spite of its name aiohttp 3 calls it before it writes the headers.
    trace.on_request_headers_sent.append(_check_the_time)

    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector(),
            auto_decompress=False,
            trust_env=False,
            trace_configs=[trace],
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        )

    transport = httpx_aiohttp.AiohttpTransport(client=session)
    return httpx.AsyncClient(transport=transport, follow_redirects=False, trust_env=False)
