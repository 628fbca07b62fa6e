-- What a dead worker ran. A worker that is not registered stays unknown.
-- ARGV: worker, or '' for the one that runs a task; that task, or ''; '1' to end the worker's lease.
-- Answers the time, the worker's latest beat, and in one string of each task that it runs: id, token,
-- started, crashes, suspicion, and 1 where this death is known already.
local ROW_FORMAT = '>c16I8I8I4I4B'
local worker = ARGV[1]
local asked = ARGV[2]
local ends_lease = ARGV[3] == '1'

local ids = {}
if worker == '' then
  local record = read(asked)
  if not record or record.state ~= RUNNING then return { now, now, '' } end
  worker = record.worker
  ids[1] = asked
end
if ends_lease and redis.call('EXISTS', worker_key(worker)) == 1 then
  redis.call('HSET', worker_key(worker), 'l', '0')
end
for _, claimed in ipairs(redis.call('SMEMBERS', claims_key(worker))) do
  if claimed ~= ids[1] then ids[#ids + 1] = claimed end
end

local rows = {}
for _, id in ipairs(ids) do
  local record = read(id)
  if record and is_run_by(record, worker) then
    local is_known = is_lease_over(record) and YES or NO
    rows[#rows + 1] = struct.pack(
      ROW_FORMAT,
      id,
      record.token,
      record.started,
      record.crashes,
      suspicion(id, record),
      is_known
    )
  end
end
local beaten = tonumber(redis.call('HGET', worker_key(worker), 'y')) or now
return { now, beaten, table.concat(rows) }
