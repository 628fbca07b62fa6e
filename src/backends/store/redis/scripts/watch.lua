-- A task's end will be announced when it is still to come.
-- ARGV: id. Answers its record as it is packed, or nil.
local id = ARGV[1]
local record = read(id)
if record and not FINAL[record.state] and not record.awaited then
  record.awaited = true
  write(id, record, 'KEEPTTL')
end
return redis.call('GET', task_key(id))
