-- ARGV: worker, field, value. For a registered worker only; answers whether it is one.
local known = redis.call('EXISTS', worker(ARGV[1]))
if known == 1 then redis.call('HSET', worker(ARGV[1]), ARGV[2], ARGV[3]) end
return known
