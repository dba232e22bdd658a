"""A receiver that misbehaves on request, on a real socket, and remembers everything it was sent."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

WAIT_SECONDS = 80


@dataclass(frozen=True)
class Got:
    """One request as it came in, and how it was answered."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    mode: str

    @property
    def event_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        parsed: dict[str, Any] = orjson.loads(self.body)
        return parsed


@dataclass
class Desk:
    """`mode`: `ok`, a status such as `500`, `hang`, `drip`, `cut`, `big`. By path if `modes` names it."""

    tls: ssl.SSLContext | None = None
    port: int = 0
    mode: str = "ok"
    modes: dict[str, str] = field(default_factory=dict)
    answer_headers: dict[str, str] = field(default_factory=dict)
    got: list[Got] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0
    _runner: web.AppRunner | None = None
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)
    _gone: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str = "/hook") -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}{path}"

    @property
    def good(self) -> list[Got]:
        return [got for got in self.got if got.mode == "ok"]

    async def open(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._serve)
        self._gone.clear()
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self.tls).start()
        self.port = self._runner.addresses[0][1]  # the same one when it comes up again

    async def close(self) -> None:
        """Down: nobody listens at its port."""
        self._gone.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def until(self, number: int) -> None:
        """Wait until so many requests were answered well."""
        await self.until_told(lambda told: len(told) >= number)

    async def until_told(self, enough: Callable[[list[Got]], bool]) -> None:
        """Wait until what was answered well is enough."""
        async with asyncio.timeout(WAIT_SECONDS), self._came:
            await self._came.wait_for(lambda: enough(self.good))

    async def until_one_hangs(self) -> None:
        """Wait until one more waits for an answer that does not come."""
        before = self._hanging()
        async with asyncio.timeout(WAIT_SECONDS), self._came:
            await self._came.wait_for(lambda: self._hanging() > before)

    def _hanging(self) -> int:
        return sum(got.mode == "hang" for got in self.got)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            mode = self.modes.get(request.path, self.mode)
            got = Got(request.path, dict(request.headers.items()), await request.read(), mode)
            self.got.append(got)
            async with self._came:
                self._came.notify_all()
            return await self._answer(request, mode)
        finally:
            self._now -= 1

    async def _answer(self, request: web.Request, mode: str) -> web.StreamResponse:
        if mode == "hang":
            await self._gone.wait()
        if mode == "cut" and request.transport is not None:
            request.transport.abort()
        if mode == "drip":
            return await self._drip(request)
        status = int(mode) if mode.isdigit() else 200
        body = b"x" * 100_000 if mode == "big" else b"seen"
        return web.Response(status=status, headers=self.answer_headers, body=body)

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        with contextlib.suppress(ConnectionError):
            while not self._gone.is_set():
                await answer.write(b".")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await self._gone.wait()
        return answer


@contextlib.asynccontextmanager
async def opened(tls: ssl.SSLContext | None = None) -> AsyncIterator[Desk]:
    """A desk that is open, and closed at the end."""
    made = Desk(tls)
    await made.open()
    try:
        yield made
    finally:
        await made.close()
