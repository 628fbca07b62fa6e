-- Writes a window of figures that is over, in place of what was there.
-- ARGV: role and fence; the window's series, which for attempts is its length in milliseconds, and beginning; until
-- when it is kept; then names and values.
-- Answers nothing, or FENCED where another one leads by now.
local refusal = overtaken(ARGV[1], ARGV[2])
if refusal then return refusal end
local key = FIGURES .. ARGV[3] .. ':' .. ARGV[4]
redis.call('DEL', key)
for i = 6, #ARGV, 2 do redis.call('HSET', key, ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIREAT', key, ARGV[5])
