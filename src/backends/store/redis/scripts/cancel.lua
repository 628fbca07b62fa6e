-- Cancels a task: at once where it waits; where it runs, its worker is told, and may still complete it.
-- ARGV: id, milliseconds that a cancelled record is kept.
-- Answers the code of the state in which it was, or '' where there is none.
local id = ARGV[1]
local kept = ARGV[2]
local record = read(id)
if not record then return '' end
local found = record.state
if found == RUNNING then
  record.cancel_asked = true
  write(id, record, 'KEEPTTL')
  order(record.worker, 'c', id)
elseif not FINAL[found] then
  leave(entry_of(id, record))
  finish(id, record, CANCELLED, kept)
  count_up()
end
return found
