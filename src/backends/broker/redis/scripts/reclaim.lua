-- Puts all that a worker held to the front of its queues, the oldest first.
-- ARGV: worker.
-- Answers how many there were.
local worker = ARGV[1]
local back = 0
for _, queue in ipairs(used_queues()) do
  local entries = all_held(queue, worker)
  put_first(queue, entries)
  redis.call('DEL', held_key(queue, worker))
  back = back + #entries
  ring(queue)
end
return back
