"""Telling the client that a generation is over, where it gave an address for that."""

from __future__ import annotations

import asyncio
import collections.abc
import hashlib
import hmac
import logging
import math

import aiohttp
import orjson
import tenacity

from shared.providers.sandbox import answers, desk, generations

TRIES = 5
TIMEOUT_SECONDS = 10
SIGNATURE = "Sandbox-Signature"

log = logging.getLogger(__name__)


class Callbacks:
    """One sleeping task per generation that owes a callback. Belongs to one event loop."""

    def __init__(self, front: desk.Desk, secret: str) -> None:
        self._desk, self._secret = front, secret.encode()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._client: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Take up what was owed when the server last stopped."""
        self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(TIMEOUT_SECONDS))
        for generation in self._desk.uncalled():
            self.plan(generation)

    async def stop(self) -> None:
        """Drop all plans; the state still knows what is owed."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if self._client is not None:
            await self._client.close()

    def plan(self, generation: generations.Generation) -> None:
        """Call when it is over; planning again replaces the plan (a cancel makes it sooner)."""
        if not generation.ask.callback_url or generation.called_back:
            return
        earlier = self._tasks.pop(generation.id, None)
        if earlier is not None:
            earlier.cancel()
        if generation.ends_at() < math.inf:
            self._tasks[generation.id] = asyncio.create_task(self._call_when_over(generation))

    async def _call_when_over(self, generation: generations.Generation) -> None:
        await generation.over(self._desk.now)
        try:
            async for attempt in self._tries():
                with attempt:
                    await self._post(generation)
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("callback of %s given up: %s", generation.id, type(error).__name__)
        else:
            generation.called_back = True
            self._desk.book.update(generation)
        self._tasks.pop(generation.id, None)

    @staticmethod
    def _tries() -> tenacity.AsyncRetrying:
        return tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(TRIES),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=5),
            retry=tenacity.retry_if_exception_type((aiohttp.ClientError, TimeoutError)),
            reraise=True,
        )

    async def _post(self, generation: generations.Generation) -> None:
        if self._client is None or generation.ask.callback_url is None:
            return
        now = self._desk.now()
        body = orjson.dumps(answers.view(generation, now, generation.origin))
        async with self._client.post(generation.ask.callback_url, data=body, headers=self._headers(body)) as answer:
            answer.raise_for_status()

    def _headers(self, body: bytes) -> collections.abc.Mapping[str, str]:
        digest = hmac.new(self._secret, body, hashlib.sha256).hexdigest()
        return {"Content-Type": "application/json", SIGNATURE: f"sha256={digest}"}
