"""In the place of a session, where no address can be dialled: a function answers what would have been sent."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import httpx

Answer = Callable[[httpx.Request], httpx.Response]


def session(answer: Answer) -> aiohttp.ClientSession:
    """What adapters take for a session. Requests and responses are told in httpx's words."""
    return cast("aiohttp.ClientSession", _Pretended(answer))


class _Pretended:
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    @asynccontextmanager
    async def request(self, method: str, url: str, **sent: Any) -> AsyncIterator["_Response"]:
        payload = sent["data"]
        content = await payload.as_bytes() if payload is not None else None
        yield _Response(self._answer(httpx.Request(method, url, headers=sent["headers"], content=content)))


class _Response:
    def __init__(self, told: httpx.Response) -> None:
        self.status, self.headers, self.content = told.status_code, told.headers, self
        self._body = told.content

    async def iter_any(self) -> AsyncIterator[bytes]:
        yield self._body
