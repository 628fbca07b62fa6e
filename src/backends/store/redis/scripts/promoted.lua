-- The messages of these entries are on their queues: takes them out of the schedule set. An entry that was
-- scheduled again since it was handed out stays: it is another reminder.
-- ARGV: role, fence, milliseconds that a queued record outlives its task's expiry; then entries.
-- Answers nothing, or FENCED where another one leads by now.
local refusal = overtaken(ARGV[1], ARGV[2])
if refusal then return refusal end
local margin = tonumber(ARGV[3])
for i = 4, #ARGV do
  local promoted = ARGV[i]
  if redis.call('HEXISTS', HANDED_OUT, promoted) == 1 then leave_for_queue(promoted, margin) end
end
