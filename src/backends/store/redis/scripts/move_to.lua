-- Says of tasks that they wait on another queue from now on; their messages follow.
-- ARGV: the priority of the queue; how it is written where it is a user's own, or ''; then the messages' entries.
-- Answers in one string '1' for each task that waits on a queue at this generation, else '0'.
local priority = tonumber(ARGV[1])
local own = ARGV[2]

local function move(an_entry)
  local id = id_of(an_entry)
  local record = read(id)
  if not record or record.state ~= QUEUED or entry_of(id, record) ~= an_entry then return '0' end
  count(ENQUEUED, queue_of(record), -1)
  local values = unpack_tail(record.tail)
  values.whose = whose_on(values.whose, own)
  record.tail = pack_tail(values)
  record.priority = priority
  write(id, record, 'KEEPTTL')
  count(ENQUEUED, queue_of(record))
  return '1'
end

local answer = {}
for i = 3, #ARGV do answer[#answer + 1] = move(ARGV[i]) end
count_up()
return table.concat(answer)
