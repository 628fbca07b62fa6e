-- Gives the lead up, so that the next one need not wait for the end of the lease.
-- ARGV: role, fence.
local key = leader_key(ARGV[1])
if redis.call('HGET', key, 'n') == ARGV[2] then redis.call('HSET', key, 'u', 0) end
