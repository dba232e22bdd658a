"""Asking a server of this machine over HTTP whether it is ready: often, and beside the start it waits for."""

import ssl
from collections.abc import Awaitable, Callable

import httpx

# It is never used, as all is plain HTTP; but httpx would read all certificates anew for each client: 12 ms of CPU.
_TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def client(timeout_seconds: float) -> httpx.AsyncClient:
    """For loopback only: no proxy, no TLS."""
    return httpx.AsyncClient(timeout=timeout_seconds, trust_env=False, verify=_TRUSTS_NOBODY)


def answers(url: str) -> Callable[[], Awaitable[bool]] | None:
    """A probe that wants a 200; None for no URL. It raises httpx's errors while nobody listens."""
    if not url:
        return None

    async def probe() -> bool:
        async with client(5) as asking:
            return (await asking.get(url)).status_code == 200

    return probe
