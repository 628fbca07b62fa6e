-- ARGV: role, fence.
local key = base .. ':l:' .. ARGV[1]
if redis.call('HGET', key, 'n') == ARGV[2] then redis.call('HSET', key, 'u', 0) end
