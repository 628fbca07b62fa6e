-- Takes tokens out of a bucket that fills at a steady rate.
-- ARGV: bucket, how many are wanted, refill a second, burst.
-- Answers how many were taken, and microseconds until the next one.
local SECOND_MICROS = 1000000
local MONTH = 30 * 86400
-- A bucket is remembered for so many seconds after it would be full.
local REMEMBERED = 60
local key = bucket_key(ARGV[1])
local want = tonumber(ARGV[2])
local rate = tonumber(ARGV[3])
local burst = tonumber(ARGV[4])

local left, since = unpack(redis.call('HMGET', key, 'v', 't'))
local level = burst
if left then
  local seconds = math.max(0, now_micros - tonumber(since)) / SECOND_MICROS
  level = math.min(burst, tonumber(left) + seconds * rate)
end
local got = math.min(want, math.floor(level))
level = level - got
redis.call('HSET', key, 'v', string.format('%.17g', level), 't', string.format('%.0f', now_micros))

local seconds_to_full = rate > 0 and math.min(burst / rate, MONTH) or MONTH
redis.call('EXPIRE', key, math.ceil(seconds_to_full) + REMEMBERED)
local seconds_to_next = 0
if level < 1 then seconds_to_next = rate > 0 and math.min((1 - level) / rate, MONTH) or MONTH end
return { got, math.ceil(seconds_to_next * SECOND_MICROS) }
