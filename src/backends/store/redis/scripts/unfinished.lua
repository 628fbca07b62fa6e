-- One step of a walk over all tasks that are not over.
-- ARGV: where Redis's own walk stands, how many keys to look at, a pattern of the records' keys.
-- Answers where the walk goes on ('0': it is over), and of each task: id, state, queue, generation,
-- attempt, enqueued, worker, token, and 1 where the schedule set has it.
local step = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[3], 'COUNT', ARGV[2])
local prefix = #task_key('')

-- An entry without a message is none.
local function is_scheduled(named)
  if not redis.call('ZSCORE', SCHEDULE, named) then return false end
  return redis.call('HSTRLEN', SCHEDULED_MESSAGES, named) >= MESSAGE_WIDTH
end

local answer = {}
for _, key in ipairs(step[2]) do
  local id = key:sub(prefix + 1)
  local state = redis.pcall('GETRANGE', key, STATE_OFFSET - 1, STATE_OFFSET - 1)
  local record = #id == ENTRY_ID_WIDTH and not FINAL[state] and read(id)
  if record then
    answer[#answer + 1] = {
      id,
      record.state,
      tostring(queue_of(record)),
      record.generation,
      record.attempt,
      record.enqueued,
      record.worker,
      record.token,
      is_scheduled(entry_of(id, record)) and 1 or 0,
    }
  end
end
return { step[1], answer }
