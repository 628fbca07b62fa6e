-- ARGV: worker, then queue and priorities of each queue. Puts all the worker held to the front, in its old order.
local count = 0
for i = 2, #ARGV, 2 do
  for n in ARGV[i + 1]:gmatch('%d') do
    local key = flight(n, ARGV[1])
    local entries = redis.call('LRANGE', key, 0, -1)
    slices(entries, function(...)
      redis.call('RPUSH', waiting(n), ...)
      redis.call('HDEL', held(n), ...)
    end)
    redis.call('DEL', key)
    count = count + #entries
  end
  ring(ARGV[i], ARGV[i + 1])
end
return count
