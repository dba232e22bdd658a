"""Faults that a test switches on for the whole server, beside what single models do."""

from __future__ import annotations

import asyncio
import collections.abc
import enum
import random
from typing import Annotated

import pydantic
from aiohttp import web

from shared.providers.sandbox import answers

Handler = collections.abc.Callable[[web.Request], collections.abc.Awaitable[web.StreamResponse]]
Rate = Annotated[float, pydantic.Field(ge=0, le=1)]


class Place(enum.StrEnum):
    """Where a fault strikes."""

    SUBMIT = "submit"
    POLL = "poll"
    SEARCH = "search"
    CANCEL = "cancel"
    MEDIA = "media"


class Faults(pydantic.BaseModel, extra="forbid"):
    """What goes wrong, each with its own chance per request.

    `drop_rate` cuts the line before anything is done, `cut_rate` after it was done (an ask is then
    accepted and charged), `error_rate` answers `status` without doing anything, `garbage_rate`
    answers 200 with a web page without doing anything. `latency_seconds` comes before all of them.
    """

    latency_seconds: Annotated[float, pydantic.Field(ge=0)] = 0
    drop_rate: Rate = 0
    error_rate: Rate = 0
    status: Annotated[int, pydantic.Field(ge=400, le=599)] = 503
    retry_after_seconds: Annotated[int, pydantic.Field(ge=0)] | None = None
    garbage_rate: Rate = 0
    cut_rate: Rate = 0
    places: frozenset[Place] = frozenset(Place)
    seed: int = 0


class Switch:
    """Holds the faults that are on; none at the start. They are forgotten at a restart."""

    def __init__(self) -> None:
        self.now_on: Faults | None = None
        self._chance = random.Random(0)  # noqa: S311

    def set(self, faults: Faults | None) -> None:
        """Replace what is on; None is all off. The same seed strikes in the same order."""
        self.now_on = faults
        self._chance = random.Random(faults.seed if faults else 0)  # noqa: S311

    async def around(self, place: Place, handler: Handler, request: web.Request) -> web.StreamResponse:
        """Run a handler with the faults that are on for its place."""
        faults = self.now_on
        if faults is None or place not in faults.places:
            return await handler(request)
        await asyncio.sleep(faults.latency_seconds)
        if self._strikes(faults.drop_rate):
            return cut(request)
        if self._strikes(faults.error_rate):
            text = "A fault that a test switched on."
            return answers.fault(faults.status, "fault", text, faults.retry_after_seconds)
        if self._strikes(faults.garbage_rate):
            return answers.page()
        answer = await handler(request)
        return cut(request) if self._strikes(faults.cut_rate) else answer

    def _strikes(self, rate: float) -> bool:
        return self._chance.random() < rate


def cut(request: web.Request) -> web.Response:
    """Reset the TCP line under a request. What is returned can no longer be sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
