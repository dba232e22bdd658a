"""Counting requests: one atomic script in Redis; without Redis each process counts for itself."""

import time
from dataclasses import dataclass, field

import redis.asyncio as aioredis
import redis.exceptions
import structlog

from shared import logs
from shared.domain import limits

PREFIX = "genqueue:rate:"
# A request must not wait long for its own rate limit; after a failure Redis is left alone for a moment.
TIMEOUT_SECONDS = 0.25
PAUSE_SECONDS = 2.0
MOST_LOCAL = 10_000

# The same arithmetic as limits.judge, on Redis' own clock, in one step. Answers {allowed, seconds until whole}.
_SCRIPT = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local window, step = tonumber(ARGV[2]), ARGV[2] / ARGV[1]
local full_at = tonumber(redis.call('GET', KEYS[1]) or '0')
local after = math.max(full_at, now) + step
if after - now > window + 0.000001 then
  return {0, tostring(full_at - now)}
end
if ARGV[3] == '1' then
  redis.call('SET', KEYS[1], string.format('%.6f', after), 'PX', math.ceil((after - now) * 1000) + 1000)
end
return {1, tostring(after - now)}
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


class Limits:
    """Buckets by name, shared by all processes."""

    def __init__(self, redis_url: str) -> None:
        self._redis = aioredis.Redis.from_url(
            redis_url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
        )
        self._script = self._redis.register_script(_SCRIPT)
        self._local = Local()
        self._blind_until = 0.0

    async def take(self, name: str, limit: int, *, take: bool = True) -> limits.Verdict:
        """Take one from the bucket, or (`take=False`) only look whether one could be taken. Never raises, and never
        waits longer than a quarter of a second.
        """
        if time.monotonic() >= self._blind_until:
            try:
                answer = await self._script(
                    keys=[PREFIX + name], args=[limit, limits.WINDOW_SECONDS, "1" if take else "0"]
                )
                return _verdict(limit, bool(answer[0]), float(answer[1]))
            except (redis.exceptions.RedisError, OSError, TimeoutError) as error:
                self._blind_until = time.monotonic() + PAUSE_SECONDS
                _log.warning("rates_counted_locally", error=type(error).__name__)
        return self._local.take(name, limit, take=take)

    async def close(self) -> None:
        """Close the connection. May be repeated."""
        await self._redis.aclose()


def _verdict(limit: int, allowed: bool, seconds: float) -> limits.Verdict:
    step = limits.WINDOW_SECONDS / limit
    if not allowed:
        return limits.Verdict(allowed, limit, 0, seconds, seconds + step - limits.WINDOW_SECONDS)
    return limits.Verdict(allowed, limit, int((limits.WINDOW_SECONDS - seconds) / step + 1e-6), seconds)
