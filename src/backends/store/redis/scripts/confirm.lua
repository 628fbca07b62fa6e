-- A task was enqueued once more and accepted, so it is not to be withdrawn.
-- ARGV: id. Answers 1, or nil where it does not wait on its queue.
local id = ARGV[1]
local record = read(id)
if not record or record.state ~= QUEUED then return false end
record.ticket = WANTED
write(id, record, 'KEEPTTL')
return true
