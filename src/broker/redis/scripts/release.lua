-- ARGV: worker, priority, queue, the queue's priorities, entries. The first of them ends up at the very front.
local worker, n = ARGV[1], ARGV[2]
local back = {}
for i = #ARGV, 5, -1 do
  if redis.call('LREM', flight(n, worker), -1, ARGV[i]) > 0 then back[#back + 1] = ARGV[i] end
end
slices(back, function(...)
  redis.call('RPUSH', waiting(n), ...)
  redis.call('HDEL', held(n), ...)
end)
ring(ARGV[3], ARGV[4])
return #back
