import * as SharedLine from "../../policy/rateLimit/sharedLine.js"
import { script } from "./link.js"

/*
 * `tokenBuckets.ts` and `sharedLine.ts` in Lua, one atomic step on the server's time each. Of all that they do the
 * conformance suite compares both.
 *
 * KEYS of a limit, in one slot of a cluster: the buckets (hash), the permits by the moment when they lapse (sorted set),
 * the queues in line by the moment when they came (sorted set), and what each of these needs (hash).
 *
 * Numbers travel as texts of 17 digits: the server would cut those that a script returns to integers.
 */

/** ARGV: burst, longest pause or "", concurrency or "", and the four limits or "". */
const prelude = `
local function text(x) return string.format('%.17g', x) end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local burst = tonumber(ARGV[1])
local maxPause = tonumber(ARGV[2]) or math.huge
local concurrency = tonumber(ARGV[3])
local names = {'r', 't', 'i', 'o'}
local h = redis.call('HMGET', KEYS[1], 'at', 'pause', 'n',
  'r', 'rT', 'rW', 't', 'tT', 'tW', 'i', 'iT', 'iW', 'o', 'oT', 'oW')
local at = tonumber(h[1]) or now
local pause = tonumber(h[2]) or 0
local pauses = tonumber(h[3]) or 0
local buckets = {}
local function measure(b)
  b.rate = b.limit
  if b.told and b.told < b.limit then b.rate = b.told end
  b.slowed = b.told ~= nil and b.told < b.limit
  b.full = math.max(1, b.rate * burst)
  b.least = math.min(0, b.full - b.rate * maxPause / 60000)
end
for d = 1, 4 do
  local limit = tonumber(ARGV[3 + d])
  if limit then
    local b = { limit = limit, told = tonumber(h[2 + 3 * d]), lowered = tonumber(h[3 + 3 * d]) or 0 }
    measure(b)
    b.level = tonumber(h[1 + 3 * d]) or b.full
    buckets[d] = b
  end
end
local elapsed = math.max(0, now - at)
local rest = math.max(0, pause - elapsed)
local minutes = (elapsed - (pause - rest)) / 60000
pause = rest
for _, b in pairs(buckets) do b.level = math.min(b.full, b.level + minutes * b.rate) end
local function save()
  local fields = {'at', text(now), 'pause', text(pause), 'n', text(pauses)}
  local refill = 0
  local memory = 600000
  for d, b in pairs(buckets) do
    local name = names[d]
    fields[#fields + 1] = name
    fields[#fields + 1] = text(b.level)
    if b.told then
      fields[#fields + 1] = name .. 'T'
      fields[#fields + 1] = text(b.told)
      memory = 86400000
    end
    if b.lowered ~= 0 then
      fields[#fields + 1] = name .. 'W'
      fields[#fields + 1] = text(b.lowered)
    end
    refill = math.max(refill, (b.full - b.level) / b.rate * 60000)
  end
  redis.call('HSET', KEYS[1], unpack(fields))
  -- Full buckets are the same as none; a limit that the provider stated is kept for a while longer.
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.min(pause + refill + memory, 1e12)))
end
`

/**
 * ARGV from 8: the four costs, the queue or "", the permit, the time until it lapses, and, if there are any, the four
 * amounts used while the server did not answer. Returns words: "1" or "0", the wait, the time until the next question,
 * the time, the rest of a pause, the count of pauses, and of each dimension the level, the stated limit, the lowered
 * amount and the amount taken, or "-".
 */
export const reserve = script(`${prelude}
local cost, ahead = {}, {0, 0, 0, 0}
for d = 1, 4 do cost[d] = tonumber(ARGV[7 + d]) end
local queue, permit, lease = ARGV[12], ARGV[13], tonumber(ARGV[14])
local changed = false
for d, b in pairs(buckets) do
  local owed = tonumber(ARGV[14 + d] or 0)
  if owed ~= 0 then
    b.level = math.min(b.full, b.level - owed)
    changed = true
  end
end
local running = 0
if concurrency then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', text(now))
  running = redis.call('ZCARD', KEYS[2])
end

local rank, looked, found = 0, 0, false
local ids = redis.call('ZRANGE', KEYS[3], 0, ${SharedLine.maxAhead - 1})
if #ids > 0 then
  local needs = redis.call('HMGET', KEYS[4], unpack(ids))
  for i, id in ipairs(ids) do
    local lapses, r, t, n, o = string.match(needs[i] or '', '^(%S+) (%S+) (%S+) (%S+) (%S+)$')
    if not lapses or tonumber(lapses) <= now then
      redis.call('ZREM', KEYS[3], id)
      redis.call('HDEL', KEYS[4], id)
    elseif id == queue then
      found = true
      break
    else
      looked = looked + 1
      ahead[1] = ahead[1] + tonumber(r)
      ahead[2] = ahead[2] + tonumber(t)
      ahead[3] = ahead[3] + tonumber(n)
      ahead[4] = ahead[4] + tonumber(o)
    end
  end
  rank = looked
  if not found then
    local place = redis.call('ZRANK', KEYS[3], queue)
    rank = place or redis.call('ZCARD', KEYS[3])
    found = place and true
  end
end

local longest = 0
for d, b in pairs(buckets) do
  local missing = ahead[d] + math.min(cost[d], b.full) - b.level
  if missing > 1e-6 then longest = math.max(longest, missing / b.rate * 60000) end
end
local wait = pause + math.ceil(longest - 1e-6)
local behind = rank > looked
local crowded = concurrency and running + rank >= concurrency
local ask = 0
local taken = {}
local answer = '0'
if wait <= 0 and not behind and not crowded then
  answer = '1'
  for d, b in pairs(buckets) do
    local left = b.level - cost[d]
    local level = left
    if b.slowed then level = math.max(left, b.least) end
    taken[d] = level == left and cost[d] or b.level - level
    b.level = level
    changed = true
  end
  if concurrency then
    redis.call('ZADD', KEYS[2], text(now + lease), permit)
    redis.call('PEXPIRE', KEYS[2], string.format('%.0f', 2 * lease))
  end
  if found then
    redis.call('ZREM', KEYS[3], queue)
    redis.call('HDEL', KEYS[4], queue)
  end
else
  ask = wait
  if behind then ask = math.max(ask, rank * ${SharedLine.placeRest}, wait * (rank + 1) / (looked + 1)) end
  if crowded then ask = math.max(ask, math.min(${SharedLine.longestPermitRest}, ${SharedLine.permitRest} * (rank + 1))) end
  ask = math.min(${SharedLine.longestRest}, ask)
  if queue ~= '' then
    local need = {text(now + ask + ${SharedLine.grace})}
    for d = 1, 4 do need[1 + d] = text(cost[d]) end
    redis.call('ZADD', KEYS[3], 'NX', text(tonumber(time[1]) * 1000000 + tonumber(time[2])), queue)
    redis.call('HSET', KEYS[4], queue, table.concat(need, ' '))
    redis.call('PEXPIRE', KEYS[3], 60000)
    redis.call('PEXPIRE', KEYS[4], 60000)
  end
end
if changed then save() end
local reply = {answer, text(wait), text(ask), text(now), text(pause), text(pauses)}
for d = 1, 4 do
  local b = buckets[d]
  if b then
    reply[#reply + 1] = text(b.level)
    reply[#reply + 1] = b.told and text(b.told) or '-'
    reply[#reply + 1] = text(b.lowered)
    reply[#reply + 1] = taken[d] and text(taken[d]) or '-'
  else
    reply[#reply + 1] = '- - - -'
  end
end
return table.concat(reply, ' ')
`)

/**
 * ARGV from 8: the permit or "", the pauses before the reservation, and for each dimension the reserved amount and, or
 * "", the used amount, the limit and the rest that the provider stated, the level and the lowered amount.
 */
export const settle = script(`${prelude}
if ARGV[8] ~= '' then redis.call('ZREM', KEYS[2], ARGV[8]) end
local before = tonumber(ARGV[9])
local any = false
for d, b in pairs(buckets) do
  any = true
  local base = 9 + (d - 1) * 6
  local reserved = tonumber(ARGV[base + 1])
  local unused = reserved - (tonumber(ARGV[base + 2]) or reserved)
  local stated, remaining = tonumber(ARGV[base + 3]), tonumber(ARGV[base + 4])
  local left, lowered = tonumber(ARGV[base + 5]), tonumber(ARGV[base + 6]) or 0
  if stated and stated > 0 then b.told = math.max(stated, 60000 / maxPause) end
  measure(b)
  if pauses > before then unused = math.min(0, unused) end
  local known = b.level
  local level = math.min(b.full, known + unused)
  local drop = 0
  if left and remaining then
    drop = math.min(left - remaining - (b.lowered - lowered), level - remaining)
  end
  if drop >= 1 then
    level = level - drop
    b.lowered = b.lowered + drop
  end
  if b.slowed then b.level = math.max(level, b.least) else b.level = math.max(level, math.min(b.least, known)) end
end
if any then save() end
return '1'
`)

/** ARGV from 8: the milliseconds. */
export const pause = script(`${prelude}
pause = math.max(pause, tonumber(ARGV[8]))
pauses = pauses + 1
for _, b in pairs(buckets) do
  b.lowered = b.lowered + math.max(0, b.level)
  b.level = math.min(0, b.level)
end
save()
return '1'
`)

/** KEYS: the permits. ARGV: the time until they lapse, and their names. */
export const renew = script(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for i = 2, #ARGV do
  redis.call('ZADD', KEYS[1], string.format('%.17g', now + tonumber(ARGV[1])), ARGV[i])
end
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', 2 * tonumber(ARGV[1])))
return redis.call('ZCARD', KEYS[1])
`)

/** KEYS: the processes. ARGV: the time until one counts as gone, and its name. Returns their number. */
export const attend = script(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.17g', now))
redis.call('ZADD', KEYS[1], string.format('%.17g', now + tonumber(ARGV[1])), ARGV[2])
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', 2 * tonumber(ARGV[1])))
return redis.call('ZCARD', KEYS[1])
`)
