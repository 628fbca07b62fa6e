-- ARGV: bucket, how many are wanted, refill a second, burst. Answers how many were taken, and microseconds until the
-- next one.
local key, want, rate, burst = base .. ':b:' .. ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local micros = time[1] * 1000000 + time[2]
local v = redis.call('HMGET', key, 'v', 't')
local level = burst
if v[1] then level = math.min(burst, tonumber(v[1]) + math.max(0, micros - tonumber(v[2])) / 1000000 * rate) end
local got = math.min(want, math.floor(level))
level = level - got
redis.call('HSET', key, 'v', string.format('%.17g', level), 't', string.format('%.0f', micros))
-- A bucket that would be full by then need not be remembered.
local month = 30 * 86400
redis.call('EXPIRE', key, math.ceil(math.min(rate > 0 and burst / rate or month, month)) + 60)
local wait = 0
if level < 1 then wait = rate > 0 and math.min((1 - level) / rate, month) or month end
return { got, math.ceil(wait * 1000000) }
