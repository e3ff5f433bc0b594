import { script } from "./link.js"

/*
 * One hash for an account: the window, the epoch, tokens, picodollars, charges without a price, and each reservation that
 * is open. What is reserved is charged at once, and corrected when it is settled: the estimate of a process that was killed
 * stays charged. The epoch is new whenever the hash is: a reservation of another one was lost with it.
 *
 * Picodollars are changed by HINCRBY and compared as texts: Lua's numbers are exact only up to $9,007.
 *
 * KEYS: the account. ARGV from 1: the window in milliseconds or "".
 */

const prelude = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local length = tonumber(ARGV[1])
local window, renewed = '-', '-'
if length then
  local index = math.floor(now / length)
  window = string.format('%.0f', index)
  renewed = string.format('%.0f', (index + 1) * length - now)
end
local function less(a, b)
  local negativeA, negativeB = string.sub(a, 1, 1) == '-', string.sub(b, 1, 1) == '-'
  if negativeA ~= negativeB then return negativeA end
  if negativeA then a, b = string.sub(b, 2), string.sub(a, 2) end
  if #a ~= #b then return #a < #b end
  return a < b
end
-- A sum beyond 64 bits is left as it was.
local function add(field, amount)
  if amount == '0' then return true end
  local sum = redis.pcall('HINCRBY', KEYS[1], field, amount)
  return type(sum) == 'number'
end
local function begin(epoch)
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'window', window, 'epoch', epoch, 'tokens', '0', 'pico', '0', 'unpriced', '0')
  if length then redis.call('PEXPIRE', KEYS[1], string.format('%.0f', tonumber(renewed) + 60000)) end
end
`

/**
 * ARGV from 2: the id, the limits of tokens and picodollars or "", the estimate of tokens, and of picodollars or "",
 * the time for which the reservation counts as open, and an amount still to be charged: its window, tokens,
 * picodollars, and the count of charges without a price. Returns words: "1", the window and the epoch; or "0", the
 * unit, the amount charged and the time until the next window or "-".
 */
export const reserve = script(`${prelude}
local id, limitTokens, limitPico = ARGV[2], ARGV[3], ARGV[4]
local tokens, pico, lapse = ARGV[5], ARGV[6], tonumber(ARGV[7])
local h = redis.call('HMGET', KEYS[1], 'window', 'epoch', 'tokens', 'prune')
local epoch = h[2]
if not epoch or h[1] ~= window then
  epoch = id
  h[3] = '0'
  begin(epoch)
end
if ARGV[8] == window then
  add('tokens', ARGV[9])
  add('pico', ARGV[10])
  add('unpriced', ARGV[11])
  h[3] = redis.call('HGET', KEYS[1], 'tokens')
end
if limitTokens ~= '' and tonumber(h[3]) + tonumber(tokens) > tonumber(limitTokens) then
  return table.concat({'0', 'tokens', h[3], renewed}, ' ')
end
if limitPico ~= '' then
  local before = redis.call('HGET', KEYS[1], 'pico')
  if pico == '' then
    if not less(before, limitPico) then return table.concat({'0', 'dollars', before, renewed}, ' ') end
  elseif not add('pico', pico) then
    return table.concat({'0', 'dollars', before, renewed}, ' ')
  elseif less(limitPico, redis.call('HGET', KEYS[1], 'pico')) then
    add('pico', '-' .. pico)
    return table.concat({'0', 'dollars', before, renewed}, ' ')
  end
elseif pico ~= '' then
  add('pico', pico)
end
add('tokens', tokens)
local count = redis.call('HLEN', KEYS[1])
if count >= (tonumber(h[4]) or 1000) then
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 2) == 'o:' and tonumber(string.match(all[i + 1], '^%S+')) <= now then
      redis.call('HDEL', KEYS[1], all[i])
      count = count - 1
    end
  end
  redis.call('HSET', KEYS[1], 'prune', math.max(1000, 2 * count))
end
redis.call('HSET', KEYS[1], 'o:' .. id, string.format('%.0f', now + lapse) .. ' ' .. tokens .. ' ' .. (pico == '' and '0' or pico))
return table.concat({'1', window, epoch}, ' ')
`)

/**
 * ARGV from 2: the window and the epoch of the reservation, its id or "", the differences of tokens and picodollars
 * between the bill and the charge, the bill itself, and "1" if that has no price. Amounts of an earlier window are
 * dropped. After a loss of the account the whole bill is charged.
 */
export const charge = script(`${prelude}
if ARGV[2] ~= window then return '0' end
local h = redis.call('HMGET', KEYS[1], 'window', 'epoch')
local known = h[1] == window and h[2] == ARGV[3]
if h[1] ~= window then begin('lost') end
if known and ARGV[4] ~= '' then redis.call('HDEL', KEYS[1], 'o:' .. ARGV[4]) end
add('tokens', known and ARGV[5] or ARGV[7])
add('pico', known and ARGV[6] or ARGV[8])
add('unpriced', ARGV[9])
return '1'
`)

/** Returns the time, the window, and the whole hash. */
export const spent = script(`${prelude}
local reply = {string.format('%.0f', now), window}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all do reply[2 + i] = all[i] end
return reply
`)
