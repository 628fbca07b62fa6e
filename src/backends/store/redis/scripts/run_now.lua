-- Makes a scheduled task due now.
-- ARGV: entry, or an id, of which the record's generation is meant. Answers 1, or 0 where there is no such
-- entry.
local id = id_of(ARGV[1])
local record = read(id)
local meant = ARGV[1]
if meant == id then
  if not record then return 0 end
  meant = entry_of(id, record)
end
local message = redis.call('HGET', SCHEDULED_MESSAGES, meant)
if not message then return 0 end
enter(meant, now, message)
if record and record.state == SCHEDULED then
  record.due = now
  write(id, record, 'KEEPTTL')
end
announce()
return 1
