"""The HTTP clients of a process: the httpx API on an aiohttp transport (28 times plain httpx on a wide pool)."""

import ipaddress
import socket
from collections.abc import Callable, Sequence

import aiohttp
import httpx
import httpx_aiohttp

from shared.outbound import addresses

CONNECT_SECONDS = 5.0


class BlockedAddressError(OSError):
    """The address is private, local or reserved; outbound requests may not go there."""


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
    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector(),
            auto_decompress=False,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        )

    transport = httpx_aiohttp.AiohttpTransport(client=session)
    return httpx.AsyncClient(transport=transport, follow_redirects=False, trust_env=False)
