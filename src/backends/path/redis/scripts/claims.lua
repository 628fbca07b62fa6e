-- What a worker runs, as its claims say.
-- ARGV: worker; the lanes that are meant, in one string.
-- Answers of each task: id, generation, token and queue.
local worker = ARGV[1]
local lanes = ARGV[2]

local rows = {}
for _, id in ipairs(redis.call('SMEMBERS', claims_key(worker))) do
  local record = read(id)
  local queue = record and is_run_by(record, worker) and queue_of(record)
  if queue and is_on(lanes, queue) then
    rows[#rows + 1] = { id, record.generation, string.format('%.0f', record.token), tostring(queue) }
  end
end
return rows
