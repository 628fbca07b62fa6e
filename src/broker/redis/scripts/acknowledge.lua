-- ARGV: worker, priority, queue, the queue's priorities, entries.
local worker, n = ARGV[1], ARGV[2]
local entries = { unpack(ARGV, 5) }
local marks = redis.call('HMGET', held(n), unpack(entries))
local gone, done, again = {}, {}, {}
for i, entry in ipairs(entries) do
  -- An entry that is no longer with this worker went to another one: its message is not this worker's to delete.
  if redis.call('LREM', flight(n, worker), -1, entry) > 0 then
    gone[#gone + 1] = entry
    local to = marks[i] == '1' and again or done
    to[#to + 1] = entry
  end
end
slices(gone, function(...) redis.call('HDEL', held(n), ...) end)
slices(done, function(...) redis.call('HDEL', bodies(n), ...) end)
if #again > 0 then
  slices(again, function(...) redis.call('LPUSH', waiting(n), ...) end)
  ring(ARGV[3], ARGV[4])
end
return #gone
