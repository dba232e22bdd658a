"""The arithmetic of places, in Redis: each script is one step for everybody who looks."""

from shared.domain import capacity

SLOT_SECONDS = 600
FRESH_SECONDS = 10
# An attempt that has its place but is not committed yet is not in the database's list.
GRACE_SECONDS = 10
CROWD_SECONDS = 5

# What a slice of a batch has in the air is counted, not listed; the slice renews it while it lives.
ROWS_SECONDS = 60

# What slices have at a key (a hash of `count|until`, by slice), but for one of them.
OTHERS = """
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
TAKE = f"""{OTHERS}
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

# KEYS: as above, without the crowd. ARGV: slice, limit, limit a minute, how many are wanted, how many must stay free,
# how many it has with each key. Answers {'cold', i}, or {'rows', milliseconds to wait, how many more with each key}.
TAKE_ROWS = f"""{OTHERS}
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local slice, limit, rate, wanted = ARGV[1], tonumber(ARGV[2]) - tonumber(ARGV[5]), tonumber(ARGV[3]), tonumber(ARGV[4])
local keys, wait = math.floor(#KEYS / 5), {int(capacity.LONGEST_WAIT_SECONDS * 1000)}
local answer = {{'rows', 0}}
for i = 0, keys - 1 do
  if redis.call('EXISTS', KEYS[i * 5 + 4]) == 0 then return {{'cold', i}} end
end
for i = 0, keys - 1 do
  local slots, sent, hold, rows = KEYS[i * 5 + 1], KEYS[i * 5 + 2], KEYS[i * 5 + 3], KEYS[i * 5 + 5]
  redis.call('ZREMRANGEBYSCORE', slots, '-inf', now)
  local has, held, more = tonumber(ARGV[6 + i]), redis.call('PTTL', hold), 0
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
TELL = f"""
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
HOLD = """
local held = tonumber(ARGV[1])
if redis.call('PTTL', KEYS[1]) < held then redis.call('SET', KEYS[1], '1', 'PX', held) end
"""
