-- How much waits on a queue.
-- ARGV: the queue's priorities.
-- Answers how many wait, and when the oldest head was enqueued (false: none waits).
local waiting = 0
local oldest = false
for priority in each_priority(ARGV[1]) do
  waiting = waiting + redis.call('LLEN', waiting_key(priority))
  local first, value = head(priority)
  if first and is_message(priority, first, value) then
    local enqueued = struct.unpack(MESSAGE_ENQUEUED_FORMAT, value, MESSAGE_ENQUEUED_OFFSET)
    if not oldest or enqueued < oldest then oldest = enqueued end
  end
end
return { waiting, oldest }
