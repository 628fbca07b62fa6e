-- What a worker runs, as its claims say.
-- ARGV: worker; the priorities of the queues that are meant.
-- Answers in one string of each task: id, generation, token and priority.
local ROW_FORMAT = '>c16I4I8B'
local worker = ARGV[1]
local priorities = ARGV[2]

local rows = {}
for _, id in ipairs(redis.call('SMEMBERS', claims_key(worker))) do
  local record = read(id)
  if record and is_run_by(record, worker) and priorities:find(record.priority, 1, true) then
    rows[#rows + 1] = struct.pack(ROW_FORMAT, id, record.generation, record.token, record.priority)
  end
end
return table.concat(rows)
