-- Puts all that a worker held to the front of its queues, the oldest first.
-- ARGV: worker; then name and priorities of each queue.
-- Answers how many there were.
local worker = ARGV[1]
local back = 0
for i = 2, #ARGV, 2 do
  local queue = ARGV[i]
  local priorities = ARGV[i + 1]
  for priority in each_priority(priorities) do
    local entries = all_held(priority, worker)
    put_first(priority, entries)
    redis.call('DEL', held_key(priority, worker))
    back = back + #entries
  end
  ring(queue, priorities)
end
return back
