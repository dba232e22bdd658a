"""Places at endpoints, shared by all processes: one atomic script in Redis. The database knows better: what Redis has
forgotten, or never heard of, is told to it again (`tell`), at least every ten seconds while an endpoint is asked.
"""

import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import redis.asyncio as aioredis
import redis.exceptions
import structlog

from shared import logs
from shared.domain import capacity
from shared.queues import capacity_scripts as scripts

PREFIX = "genqueue:capacity:"
TIMEOUT_SECONDS = 0.5
# After a failure Redis is left alone for a moment: each look would cost the timeout.
PAUSE_SECONDS = 2.0
# A place is kept no longer than this without being told of again.
_log: structlog.stdlib.BoundLogger = logs.get(__name__)
_LOST = (redis.exceptions.RedisError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Taken:
    """There was room with this key; the place is kept until it is given back."""

    credential: int


@dataclass(frozen=True, slots=True)
class Cold:
    """Redis does not know enough of this key: tell it what the database knows, and ask again."""

    credential: int


@dataclass(frozen=True, slots=True)
class Full:
    """No key has room for at least so long; so many were turned away in the last seconds."""

    seconds: float
    turned_away: int


@dataclass(frozen=True, slots=True)
class Away:
    """Redis does not answer: count in the database."""


@dataclass(frozen=True, slots=True)
class Granted:
    """These keys may be asked once more each time they are named; if none is, try again after `seconds`."""

    credentials: tuple[int, ...]
    seconds: float


Answer = Taken | Cold | Full | Away


class Places:
    """One a process."""

    def __init__(self, redis_url: str) -> None:
        self._redis = aioredis.Redis.from_url(
            redis_url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
        )
        self._take = self._redis.register_script(scripts.TAKE)
        self._take_rows = self._redis.register_script(scripts.TAKE_ROWS)
        self._tell = self._redis.register_script(scripts.TELL)
        self._hold = self._redis.register_script(scripts.HOLD)
        self._blind_until = 0.0
        # What was told since Redis was last away: before that, others may have asked without its knowing.
        self._told: set[str] = set()

    async def take(self, demand: capacity.Demand) -> Answer:
        """Take a place with the key that has the most room. Never raises. May be repeated: a slot has one place."""
        if time.monotonic() < self._blind_until:
            return Away()
        untold = [each for each in demand.credentials if _base(demand.endpoint, each) not in self._told]
        if untold:
            return Cold(untold[0])
        keys = [key for each in demand.credentials for key in _keys(demand.endpoint, each)]
        crowd = f"{PREFIX}{demand.endpoint}:crowd"
        try:
            answer = await self._take(keys=[*keys, crowd], args=[demand.slot, demand.concurrency, demand.per_minute])
        except _LOST as error:
            return self._away(error)
        return _read(cast("list[Any]", answer), demand)

    async def take_rows(
        self, demand: capacity.Demand, held: Mapping[int, int], wanted: int, spare: int
    ) -> Granted | Cold | Away:
        """Take up to `wanted` places for a slice (`demand.slot`) that has `held` by key, as long as `spare` of each key
        stay free; of those it has Redis is reminded, and with nothing wanted only that. Never raises. What is held may
        be repeated; what is granted counts once more.
        """
        untold = [each for each in demand.credentials if _base(demand.endpoint, each) not in self._told]
        if time.monotonic() < self._blind_until:
            return Away()
        if untold:
            return Cold(untold[0])
        keys = [key for each in demand.credentials for key in _keys(demand.endpoint, each)]
        has = [held.get(each, 0) for each in demand.credentials]
        try:
            args: list[str | int] = [demand.slot, demand.concurrency, demand.per_minute, wanted, spare, *has]
            answer = cast("list[Any]", await self._take_rows(keys=keys, args=args))
        except _LOST as error:
            return self._away(error)
        if answer[0] == b"cold":
            return Cold(demand.credentials[int(answer[1])])
        pairs = zip(demand.credentials, answer[2:], strict=True)
        return Granted(tuple(each for each, more in pairs for _ in range(int(more))), int(answer[1]) / 1000)

    async def give_back_rows(self, demand: capacity.Demand) -> None:
        """Free all places of a slice. Never raises; what is lost runs out by itself. May be repeated."""
        for each in demand.credentials:
            await self._do(cast("Awaitable[Any]", self._redis.hdel(_keys(demand.endpoint, each)[4], demand.slot)))

    async def tell(self, demand: capacity.Demand, credential: int, facts: capacity.Facts) -> None:
        """Tell Redis what the database knows of a key: it adds what it missed and drops what is long over.
        Never raises. May be repeated and raced.
        """
        ages = [round(age * 1000) for age in facts.sent_ages[: demand.per_minute]]
        args: list[str | int] = [round(facts.held_seconds * 1000), len(facts.slots), *facts.slots, *ages]
        if await self._do(self._tell(keys=_keys(demand.endpoint, credential), args=args)):
            self._told.add(_base(demand.endpoint, credential))

    async def give_back(self, endpoint: str, credential: int, slot: str) -> None:
        """Free a place. Never raises; a lost call is made good by the next `tell`. May be repeated."""
        await self._do(cast("Awaitable[Any]", self._redis.zrem(_keys(endpoint, credential)[0], slot)))

    async def hold(self, endpoint: str, credential: int, seconds: float) -> None:
        """Let nobody ask this endpoint with this key for so long; a longer hold stays. Never raises."""
        key = _keys(endpoint, credential)[2]
        await self._do(self._hold(keys=[key], args=[max(round(seconds * 1000), 1)]))

    async def close(self) -> None:
        """Close the connection. May be repeated."""
        await self._redis.aclose()

    async def _do(self, work: Awaitable[Any]) -> bool:
        if time.monotonic() < self._blind_until:
            if hasattr(work, "close"):
                work.close()
            return False
        try:
            await work
        except _LOST as error:
            self._away(error)
            return False
        return True

    def _away(self, error: Exception) -> Away:
        self._blind_until = time.monotonic() + PAUSE_SECONDS
        self._told.clear()
        _log.warning("places_counted_in_database", error=type(error).__name__)
        return Away()


def _base(endpoint: str, credential: int) -> str:
    return f"{PREFIX}{endpoint}#{credential}"


def _keys(endpoint: str, credential: int) -> list[str]:
    return [f"{_base(endpoint, credential)}:{part}" for part in ("slots", "sent", "hold", "fresh", "rows")]


def _read(answer: Sequence[Any], demand: capacity.Demand) -> Answer:
    word = answer[0].decode()
    if word == "full":
        return Full(int(answer[1]) / 1000, int(answer[2]))
    credential = demand.credentials[int(answer[1])]
    return Taken(credential) if word == "taken" else Cold(credential)
