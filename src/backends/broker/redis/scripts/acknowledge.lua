-- ARGV: worker, priority, queue, the queue's priorities, all entries in one string.
local n = ARGV[2]
local gone = part(n, ARGV[1], list(ARGV[5]))
if #gone == 0 then return 0 end
local done, back = gone, {}
if redis.call('EXISTS', again(n)) == 1 then
  done = {}
  for i, marked in ipairs(redis.call('SMISMEMBER', again(n), unpack(gone))) do
    local to = marked == 1 and back or done
    to[#to + 1] = gone[i]
  end
end
slices(done, function(...) redis.call('HDEL', bodies(n), ...) end)
if #back > 0 then
  once(n, back)
  slices(back, function(...) redis.call('LPUSH', waiting(n), ...) end)
  ring(ARGV[3], ARGV[4])
end
return #gone
