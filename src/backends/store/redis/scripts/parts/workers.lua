-- Workers, their leases and orders, and what is known of tasks that workers died with.

-- A zombie that wakes within this is told what it lost.
local ORDERS_KEPT = 600000
local function order(worker, what, id)
  local key = orders_key(worker)
  redis.call('RPUSH', key, what .. id)
  redis.call('PEXPIRE', key, ORDERS_KEPT)
end

-- How long a worker's claims still hold.
local function lease_left(worker)
  return (tonumber(redis.call('HGET', worker_key(worker), 'l')) or 0) - now
end

-- A week: so long the claims of a worker are kept whose lease is never ended, and suspicions as well.
local CLAIMS_KEPT = 604800000
local SUSPICIONS_KEPT = CLAIMS_KEPT

-- Of a task that workers died with. It is no part of the record, so that workers of an earlier version, which
-- know a record's crashes alone, count on from them.
local function suspicion(id, record)
  if record.crashes == 0 then return 0 end
  return tonumber(redis.call('GET', suspicion_key(id))) or 0
end

-- A suspicion is one number, as `retry::Suspicion` packs it: eight bits of window, four of doubt and the
-- rest of blame begin at these.
local WINDOW = 256
local DOUBT = 65536
local BLAME = 1048576
local function window_of(packed) return math.floor(packed / WINDOW) % (DOUBT / WINDOW) end
local function doubt_of(packed) return math.floor(packed / DOUBT) % (BLAME / DOUBT) end
local function blame_of(packed) return math.floor(packed / BLAME) end

-- A task of a dead worker: it is known who answers for the death, and when it may start again.
local function is_lease_over(record) return record.state == RUNNING and record.due > record.started end

local function is_run_by(record, worker) return record.state == RUNNING and record.worker == worker end

-- An error with the number of the latest leader, when it is later than the one given. No role: no leader's
-- work.
local function overtaken(role, number)
  if role == '' then return nil end
  local current = tonumber(redis.call('HGET', leader_key(role), 'n') or 0)
  if current > tonumber(number) then return redis.error_reply('FENCED ' .. current) end
end
