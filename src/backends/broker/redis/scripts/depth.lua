-- How much waits on a queue.
-- ARGV: queue.
-- Answers how many wait, and when the oldest head was enqueued (false: none waits).
local queue = queue_named(ARGV[1])
local oldest = false
local first, value = head(queue)
if first and is_message(queue, first, value) then
  oldest = struct.unpack(MESSAGE_ENQUEUED_FORMAT, value, MESSAGE_ENQUEUED_OFFSET)
end
return { redis.call('LLEN', waiting_key(queue)), oldest }
