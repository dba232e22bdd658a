"""Counting requests: one atomic script in Redis; without Redis each process counts for itself."""

import collections
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import redis.asyncio as aioredis
import redis.exceptions
import structlog

from shared import gathering, logs
from shared.domain import limits

PREFIX = "genqueue:rate:"
# A request must not wait long for its own rate limit; after a failure Redis is left alone for a moment.
TIMEOUT_SECONDS = 0.25
PAUSE_SECONDS = 2.0
MOST_LOCAL = 10_000

# The same arithmetic as limits.judge, on Redis' own clock, in one step for all who ask at the same moment. For each
# bucket: how many want one (0: somebody only looks). Answers {granted, seconds until whole} for each.
_SCRIPT = """
local clock = redis.call('TIME')
local now, window = clock[1] + clock[2] / 1000000, tonumber(ARGV[1])
local answers = {}
for place, key in ipairs(KEYS) do
  local limit, wanted = tonumber(ARGV[2 * place]), tonumber(ARGV[2 * place + 1])
  local full_at, step, granted = tonumber(redis.call('GET', key) or '0'), window / limit, 0
  while granted < math.max(wanted, 1) and math.max(full_at, now) + step - now <= window + 0.000001 do
    full_at, granted = math.max(full_at, now) + step, granted + 1
  end
  if wanted > 0 and granted > 0 then
    redis.call('SET', key, string.format('%.6f', full_at), 'PX', math.ceil((full_at - now) * 1000) + 1000)
  end
  answers[place] = {granted, tostring(full_at - now)}
end
return answers
"""

_log: structlog.stdlib.BoundLogger = logs.get(__name__)


@dataclass(slots=True)
class Local:
    """One process's own buckets. Used while Redis is away: then a limit holds per process, not over all."""

    _full_at: dict[str, float] = field(default_factory=dict)

    def take(self, name: str, limit: int, *, take: bool = True) -> limits.Verdict:
        """Take one (or only look)."""
        now = time.monotonic()
        verdict, full_at = limits.judge(limit, self._full_at.get(name, 0.0), now)
        if take:
            self._full_at[name] = full_at
            if len(self._full_at) > MOST_LOCAL:
                self._full_at = {key: at for key, at in self._full_at.items() if at > now}
        return verdict


@dataclass(frozen=True, slots=True)
class _Wish:
    """One from the bucket of this name; or only a look at it."""

    name: str
    limit: int
    take: bool


class Limits:
    """Buckets by name, shared by all processes. Those who ask at the same moment ask Redis together."""

    def __init__(self, redis_url: str) -> None:
        self._redis = aioredis.Redis.from_url(
            redis_url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
        )
        self._script = self._redis.register_script(_SCRIPT)
        self._gathering = gathering.Gathering(self._ask)
        self._local = Local()
        self._blind_until = 0.0

    async def take(self, name: str, limit: int, *, take: bool = True) -> limits.Verdict:
        """Take one from the bucket, or (`take=False`) only look whether one could be taken. Never raises, and never
        waits longer than half a second.
        """
        verdict = await self._gathering.do(_Wish(name, limit, take)) if not self._is_blind() else None
        return verdict or self._local.take(name, limit, take=take)

    def _is_blind(self) -> bool:
        return time.monotonic() < self._blind_until

    async def _ask(self, wishes: Sequence[_Wish]) -> Sequence[limits.Verdict | None]:
        """The verdicts in the order of the wishes; None for each while Redis is away."""
        if not self._is_blind():
            try:
                return await self._ask_redis(wishes)
            except (redis.exceptions.RedisError, OSError, TimeoutError) as error:
                self._blind_until = time.monotonic() + PAUSE_SECONDS
                _log.warning("rates_counted_locally", error=type(error).__name__)
        return [None] * len(wishes)

    async def _ask_redis(self, wishes: Sequence[_Wish]) -> list[limits.Verdict]:
        wanted = collections.Counter(wishes)
        args = [number for wish, count in wanted.items() for number in (wish.limit, count if wish.take else 0)]
        told = await self._script(keys=[PREFIX + wish.name for wish in wanted], args=[limits.WINDOW_SECONDS, *args])
        verdicts = {
            wish: _verdicts(wish, count, granted, float(seconds))
            for (wish, count), (granted, seconds) in zip(wanted.items(), told, strict=True)
        }
        return [next(verdicts[wish]) for wish in wishes]

    async def close(self) -> None:
        """Close the connection. May be repeated."""
        await self._redis.aclose()


def _verdicts(wish: _Wish, wanted: int, granted: int, seconds: float) -> Iterator[limits.Verdict]:
    """One for each of `wanted`. After all that were granted the bucket is `seconds` from whole."""
    step = limits.WINDOW_SECONDS / wish.limit
    for place in range(wanted):
        # Whoever only looks sees what all the others see.
        later = max(granted - 1 - place, 0) if wish.take else 0
        yield _verdict(wish.limit, granted > (place if wish.take else 0), seconds - later * step)


def _verdict(limit: int, allowed: bool, seconds: float) -> limits.Verdict:
    step = limits.WINDOW_SECONDS / limit
    if not allowed:
        return limits.Verdict(allowed, limit, 0, seconds, seconds + step - limits.WINDOW_SECONDS)
    return limits.Verdict(allowed, limit, int((limits.WINDOW_SECONDS - seconds) / step + 1e-6), seconds)
