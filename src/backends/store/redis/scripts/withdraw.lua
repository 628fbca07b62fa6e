-- Takes tasks back that were not to be accepted after all, unless they ran, or were enqueued once
-- more.
-- ARGV: milliseconds that a withdrawal outlives its message; then of each task: id, until when its message
-- may turn up ('' where none was sent).
-- Answers in one string for each: d done, t too late, w enqueued once more.
local margin = tonumber(ARGV[1])

local function withdraw(id, record)
  leave(entry_of(id, record))
  redis.call('DEL', task_key(id))
  free_key(id, unique_key_of(record))
  count(ENQUEUED, queue_of(record), -1)
end

local function decide(id, till)
  local record = read(id)
  if record then
    local is_waiting = record.state == QUEUED or record.state == SCHEDULED
    if not is_waiting or record.generation > 0 then return 't' end
    if record.ticket == WANTED then return 'w' end
    withdraw(id, record)
  end
  if till ~= '' then
    redis.call('SET', withdrawn_key(id), '', 'PXAT', math.max(tonumber(till), now) + margin)
  end
  return 'd'
end

local answer = {}
for i = 2, #ARGV, 2 do
  answer[#answer + 1] = decide(ARGV[i], ARGV[i + 1])
end
count_up()
return table.concat(answer)
