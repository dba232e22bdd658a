"""The HTTP clients of a process: aiohttp itself (on a wide pool, plain httpx takes 28 times as long)."""

import contextvars
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import aiohttp
from aiohttp import abc, connector, tracing

from shared import clock
from shared.outbound import targets

CONNECT_SECONDS = 5.0

# Who wants to know which addresses were dialled puts a list here; aiohttp's own tasks inherit it.
dialled: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar("dialled", default=None)


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


class _PunctualConnector(aiohttp.TCPConnector):
    """Gives no connection to a request that should have left already. Nothing is waited for between this and the first
    byte. (aiohttp's tracing would tell, too, of what it is about to write, for 6 us a request.)
    """

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[tracing.Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's word
    ) -> connector.Connection:
        """As the connector does. Raises TooLateError."""
        made = await super().connect(req, traces, timeout)
        moment = _leave_by.get()
        if moment is not None and clock.now() >= moment:
            made.release()
            raise TooLateError
        return made


def provider_session(*, keep_alive: bool = True) -> aiohttp.ClientSession:
    """For asking hosts the operator has configured. No redirects unless asked for, no proxies from the environment,
    no repeated POST. Needs a running loop.
    """
    return _session(_PunctualConnector(limit=0, force_close=not keep_alive))


def guarded_session(guard: targets.Guard) -> aiohttp.ClientSession:
    """For URLs the world gives us; see `guarded_connector`. The URL itself is the caller's to check."""
    return _session(guarded_connector(guard))


def guarded_connector(guard: targets.Guard) -> aiohttp.TCPConnector:
    """Connections to vetted addresses only: a name is looked up once, all its answers are vetted, and one of those
    is dialled, while TLS still asks for the name. Literals, which need no lookup, are vetted at the socket.
    """

    def vetted_socket(info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        guard.vet(str(address[0]))
        seen = dialled.get()
        if seen is not None:
            seen.append(str(address[0]))
        return socket.socket(family, kind, protocol)

    return aiohttp.TCPConnector(
        limit=0, resolver=_Resolver(guard), use_dns_cache=False, socket_factory=vetted_socket, keepalive_timeout=15
    )


class _Resolver(abc.AbstractResolver):
    """aiohttp's way to ask for addresses, answered by the guard."""

    def __init__(self, guard: targets.Guard) -> None:
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[abc.ResolveResult]:
        found = await self._guard.resolve(host, port)
        made = [_result(host, port, address) for address in found]
        return [item for item in made if family in (socket.AF_UNSPEC, item["family"])]

    async def close(self) -> None:
        """Nothing is held."""


def _result(host: str, port: int, address: str) -> abc.ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return abc.ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=flags)


def _session(connecting: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connecting,
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
    )
