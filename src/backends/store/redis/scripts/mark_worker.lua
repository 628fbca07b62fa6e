-- Writes into a registered worker's hash.
-- ARGV: worker, field, value. Answers 1, or 0 where it is not registered.
local key = worker_key(ARGV[1])
local is_registered = redis.call('EXISTS', key)
if is_registered == 1 then redis.call('HSET', key, ARGV[2], ARGV[3]) end
return is_registered
