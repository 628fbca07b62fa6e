-- Ends the lease of a dead worker: writes into the record of each task that it ran its share of the blame,
-- and when it may start again. A task that another worker has meanwhile, or whose record says so already,
-- stays as it is.
-- ARGV: the task that is to start alone, or ''; in one string of each task: id, token, crashes, suspicion,
-- due.
local CONSEQUENCE_FORMAT = '>c16I8I4I4I8'
-- Milliseconds in which other tasks let it have a worker of its own: as `retry::PATIENCE`.
local PATIENCE = 750
local alone = ARGV[1]
local consequences = ARGV[2]

-- What is held for the dead worker comes back no later than its task may start.
local function hasten(id, record)
  local held = entry_of(id, record)
  local planned = redis.call('ZSCORE', SCHEDULE, held)
  local message = redis.call('HGET', SCHEDULED_MESSAGES, held)
  if planned and message and tonumber(planned) > record.due then enter(held, record.due, message) end
end

local offset = 1
while offset <= #consequences do
  local id, token, crashes, packed, due, following = struct.unpack(CONSEQUENCE_FORMAT, consequences, offset)
  local record = read(id)
  if record and record.state == RUNNING and record.token == token and not is_lease_over(record) then
    record.crashes = crashes
    record.due = math.max(due, record.started + 1)
    write(id, record)
    redis.call('SET', suspicion_key(id), packed, 'PX', SUSPICIONS_KEPT)
    hasten(id, record)
  end
  offset = following
end
announce()
if alone ~= '' then redis.call('SET', STARTS_ALONE, alone, 'PX', PATIENCE) end
