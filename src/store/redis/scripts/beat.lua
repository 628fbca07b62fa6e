-- ARGV: worker, what it says of itself, lease, then id and text of each piece of news.
-- Answers whether to drain, its orders, and the paused queues.
local me = ARGV[1]
redis.call('HSET', worker(me), 'i', ARGV[2], 'l', now + ARGV[3], 'y', now)
redis.call('HINCRBY', worker(me), 'n', 1)
redis.call('SADD', WORKERS, me)
for i = 4, #ARGV, 2 do
  local r = read(ARGV[i])
  if r and r.w == me then
    tell(r, ARGV[i + 1])
    write(ARGV[i], r, 'KEEPTTL')
  end
end
local key = base .. ':o:' .. me
local orders = redis.call('LRANGE', key, 0, -1)
if #orders > 0 then redis.call('DEL', key) end
return { redis.call('HEXISTS', worker(me), 'D'), orders, redis.call('SMEMBERS', PAUSED) }
