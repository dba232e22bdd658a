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

PREFIX = "genqueue:capacity:"
TIMEOUT_SECONDS = 0.5
# After a failure Redis is left alone for a moment: each look would cost the timeout.
PAUSE_SECONDS = 2.0
# A place is kept no longer than this without being told of again.
SLOT_SECONDS = 600
FRESH_SECONDS = 10
# An attempt that has its place but is not committed yet is not in the database's list.
GRACE_SECONDS = 10
CROWD_SECONDS = 5

# What a slice of a batch has in the air is counted, not listed; the slice renews it while it lives.
ROWS_SECONDS = 60

# What slices have at a key (a hash of `count|until`, by slice), but for one of them.
_OTHERS = """
local function others(rows, slice, now)
  local sum, all = 0, redis.call('HGETALL', rows)
  for i = 1, #all, 2 do
    local count, until_ms = string.match(all[i + 1], '(%d+)|(%d+)')
    if tonumber(until_ms) < now then redis.call('HDEL', rows, all[i])
    elseif all[i] ~= slice then sum = sum + tonumber(count) end
  end
  return sum
end
"""

# KEYS: five a credential (slots, sent, hold, fresh, rows), then one for the crowd. ARGV: slot, limit, limit a minute.
# Answers {'cold', i}: the i-th key's facts are needed; {'taken', i}; {'full', milliseconds, turned away lately}.
_TAKE = f"""{_OTHERS}
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local slot, limit, rate = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local keys = math.floor(#KEYS / 5)
for i = 0, keys - 1 do
  if redis.call('EXISTS', KEYS[i * 5 + 4]) == 0 then return {{'cold', i}} end
  if redis.call('ZSCORE', KEYS[i * 5 + 1], slot) then return {{'taken', i}} end
end
local best, most, wait = -1, 0, {int(capacity.LONGEST_WAIT_SECONDS * 1000)}
for i = 0, keys - 1 do
  local slots, sent, hold = KEYS[i * 5 + 1], KEYS[i * 5 + 2], KEYS[i * 5 + 3]
  redis.call('ZREMRANGEBYSCORE', slots, '-inf', now)
  local room = limit - redis.call('ZCARD', slots) - others(KEYS[i * 5 + 5], '', now)
  local oldest = redis.call('LINDEX', sent, rate - 1)
  local held = redis.call('PTTL', hold)
  if held > 0 then wait = math.min(wait, held)
  elseif room <= 0 then wait = math.min(wait, {int(capacity.LEAST_WAIT_SECONDS * 1000)})
  elseif oldest and now - oldest < 60000 then wait = math.min(wait, 60000 - (now - oldest))
  elseif room > most then best, most = i, room end
end
if best < 0 then
  local crowd = redis.call('INCR', KEYS[#KEYS])
  if crowd == 1 then redis.call('EXPIRE', KEYS[#KEYS], {CROWD_SECONDS}) end
  return {{'full', wait, crowd}}
end
local slots, sent = KEYS[best * 5 + 1], KEYS[best * 5 + 2]
redis.call('ZADD', slots, now + {SLOT_SECONDS * 1000}, slot)
redis.call('EXPIRE', slots, {SLOT_SECONDS})
redis.call('LPUSH', sent, now)
redis.call('LTRIM', sent, 0, rate - 1)
redis.call('EXPIRE', sent, 61)
return {{'taken', best}}
"""

# KEYS: as above, without the crowd. ARGV: slice, limit, limit a minute, how many are wanted, how many it has with each
# key. Answers {'cold', i}, or {'rows', milliseconds to wait, how many more with each key}.
_TAKE_ROWS = f"""{_OTHERS}
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local slice, limit, rate, wanted = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local keys, wait = math.floor(#KEYS / 5), {int(capacity.LONGEST_WAIT_SECONDS * 1000)}
local answer = {{'rows', 0}}
for i = 0, keys - 1 do
  if redis.call('EXISTS', KEYS[i * 5 + 4]) == 0 then return {{'cold', i}} end
end
for i = 0, keys - 1 do
  local slots, sent, hold, rows = KEYS[i * 5 + 1], KEYS[i * 5 + 2], KEYS[i * 5 + 3], KEYS[i * 5 + 5]
  redis.call('ZREMRANGEBYSCORE', slots, '-inf', now)
  local has, held, more = tonumber(ARGV[5 + i]), redis.call('PTTL', hold), 0
  if held > 0 then wait = math.min(wait, held)
  else
    local room = limit - redis.call('ZCARD', slots) - others(rows, slice, now) - has
    more = math.max(math.min(room, wanted, rate), 0)
    if room <= 0 then wait = math.min(wait, {int(capacity.LEAST_WAIT_SECONDS * 1000)}) end
    -- The most that still leave no more than `rate` in a minute.
    local low, high = 0, more
    while low < high do
      local middle = math.ceil((low + high) / 2)
      local oldest = redis.call('LINDEX', sent, rate - middle)
      if oldest and now - oldest < 60000 then high = middle - 1 else low = middle end
    end
    if low == 0 and more > 0 then wait = math.min(wait, 60000 - (now - redis.call('LINDEX', sent, rate - 1))) end
    more = low
  end
  for _ = 1, more do redis.call('LPUSH', sent, now) end
  if more > 0 then
    redis.call('LTRIM', sent, 0, rate - 1)
    redis.call('EXPIRE', sent, 61)
  end
  if has + more > 0 then
    redis.call('HSET', rows, slice, (has + more) .. '|' .. string.format('%.0f', now + {ROWS_SECONDS * 1000}))
    redis.call('EXPIRE', rows, {ROWS_SECONDS})
  else redis.call('HDEL', rows, slice) end
  wanted = wanted - more
  answer[i + 3] = more
end
answer[2] = wait
return answer
"""

# KEYS: slots, sent, hold, fresh. ARGV: held milliseconds, number of slots, the slots, the ages of asks (newest first).
_TELL = f"""
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local held, count = tonumber(ARGV[1]), tonumber(ARGV[2])
local settled = now + {(SLOT_SECONDS - GRACE_SECONDS) * 1000}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', settled)
for i = 3, 2 + count do redis.call('ZADD', KEYS[1], 'NX', settled, ARGV[i]) end
if count > 0 then redis.call('EXPIRE', KEYS[1], {SLOT_SECONDS}) end
local known = redis.call('LLEN', KEYS[2])
if #ARGV - 2 - count > known then
  redis.call('DEL', KEYS[2])
  for i = 3 + count, #ARGV do redis.call('RPUSH', KEYS[2], string.format('%.0f', now - ARGV[i])) end
  redis.call('EXPIRE', KEYS[2], 61)
end
if held > 0 and redis.call('PTTL', KEYS[3]) < held then redis.call('SET', KEYS[3], '1', 'PX', held) end
redis.call('SET', KEYS[4], '1', 'EX', {FRESH_SECONDS})
"""

# PEXPIRE … GT would do it, but only from Redis 7 on.
_HOLD = """
local held = tonumber(ARGV[1])
if redis.call('PTTL', KEYS[1]) < held then redis.call('SET', KEYS[1], '1', 'PX', held) end
"""

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
        self._take = self._redis.register_script(_TAKE)
        self._take_rows = self._redis.register_script(_TAKE_ROWS)
        self._tell = self._redis.register_script(_TELL)
        self._hold = self._redis.register_script(_HOLD)
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

    async def take_rows(self, demand: capacity.Demand, held: Mapping[int, int], wanted: int) -> Granted | Cold | Away:
        """Take up to `wanted` places for a slice (`demand.slot`) that has `held` by key; of those it is reminded, and
        with nothing wanted only that. Never raises. What is held may be repeated; what is granted counts once more.
        """
        untold = [each for each in demand.credentials if _base(demand.endpoint, each) not in self._told]
        if time.monotonic() < self._blind_until:
            return Away()
        if untold:
            return Cold(untold[0])
        keys = [key for each in demand.credentials for key in _keys(demand.endpoint, each)]
        has = [held.get(each, 0) for each in demand.credentials]
        try:
            args: list[str | int] = [demand.slot, demand.concurrency, demand.per_minute, wanted, *has]
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
