-- Sends waiting tasks to other queues: each record comes to its message's generation, and the message into
-- the schedule set. What is left on the old queue is dropped at its claim.
-- ARGV: of each message: entry, the priority of its queue, how the queue is written where it is a user's own
-- or '', message.
-- Answers in one string '1' for each task that waited at the generation before, else '0'.
local FIELDS = 4

-- When the task is due, or nil where it does not wait, or its message is gone.
local function due_of(record, before)
  if record.state == QUEUED then return now end
  if record.state ~= SCHEDULED then return nil end
  local due = redis.call('ZSCORE', SCHEDULE, before)
  return due and natural(due)
end

local function reroute(an_entry, priority, own, message)
  local id = id_of(an_entry)
  local record = read(id)
  if not record or entry(id, record.generation + 1) ~= an_entry then return '0' end
  local before = entry_of(id, record)
  local due = due_of(record, before)
  if not due then return '0' end
  count(ENQUEUED, queue_of(record), -1)
  leave(before)
  local values = unpack_tail(record.tail)
  values.whose = whose_on(values.whose, own)
  record.tail = pack_tail(values)
  record.priority = tonumber(priority)
  record.generation = record.generation + 1
  record.state = SCHEDULED
  record.due = due
  write_kept(id, record)
  enter(an_entry, due, message)
  count(ENQUEUED, queue_of(record))
  return '1'
end

local answer = {}
for i = 1, #ARGV, FIELDS do
  answer[#answer + 1] = reroute(unpack(ARGV, i, i + FIELDS - 1))
end
announce()
count_up()
return table.concat(answer)
