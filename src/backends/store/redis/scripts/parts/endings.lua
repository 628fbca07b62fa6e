-- Ends of attempts, which count only with the latest token that was given for the task. `keep` tells in
-- milliseconds how long are kept: `margin`, a queued record after its task's expiry; `dead`, dead letters;
-- `cancelled`, cancelled records.
local SETTLEMENT_FORMAT = '>I8c1I4c0I4c0I4c0I4c0'
local COMPLETION = 'C'

-- As if the task had never been claimed.
local function give_back(keep, id, record)
  if record.cancel_asked then return finish(id, record, CANCELLED, keep.cancelled) end
  let_go(record)
  record.state = QUEUED
  record.started = 0
  record.due = 0
  record.ticket = WANTED
  write_queued(id, record, keep.margin)
end

local ENDS = {
  -- Completed.
  C = function(_, id, record, result, result_kept)
    finish(id, record, COMPLETED, result_kept, { result = result })
  end,
  -- To be retried.
  R = function(keep, id, record, generation, due, message, failure)
    record.attempt = record.attempt + 1
    if record.cancel_asked then
      return finish(id, record, CANCELLED, keep.cancelled, { failure = failure })
    end
    let_go(record)
    tell(record, { failure = failure })
    record.state = SCHEDULED
    record.generation = tonumber(generation)
    record.due = tonumber(due)
    write(id, record)
    enter(entry(id, generation), due, message)
    count(RETRIED, record.priority)
  end,
  -- Dead. The attempt has failed ('1'), or else the task's time was over or its workers died ('0').
  D = function(keep, id, record, letter, died, failure, failed)
    record.attempt = record.attempt + tonumber(failed)
    add_dead_letter(id, died, letter, keep.dead)
    finish(id, record, DEAD, keep.dead, { failure = failure })
  end,
  -- Cancelled.
  X = function(keep, id, record) finish(id, record, CANCELLED, keep.cancelled) end,
  -- Given back.
  L = give_back,
  -- The same, and its message comes back later.
  P = function(keep, id, record, message, due)
    give_back(keep, id, record)
    if record.state == QUEUED then enter(entry_of(id, record), tonumber(due), message) end
  end,
}

-- The ids of tasks that each worker runs no more.
local left = {}
local function leaves(worker, id)
  left[worker] = left[worker] or {}
  table.insert(left[worker], id)
end

local function write_left()
  for worker, settled in pairs(left) do
    slices(settled, function(...) redis.call('SREM', claims_key(worker), ...) end)
  end
end

-- The record after the end, or nil where the token is not the latest.
local function settle(keep, id, token, code, ...)
  local record = read(id)
  local is_latest = record and record.state == RUNNING and record.token == token
  if not is_latest then return nil end
  leaves(record.worker, id)
  ENDS[code](keep, id, record, ...)
  return record
end

-- The usual end, with one write: whether it was one.
local function complete(id, token, result, result_kept)
  if not known[id] then return false end
  local over, priority, worker = completed(known[id], token, result)
  if not over then return false end
  leaves(worker, id)
  put(id, over, 'PXAT', forget_at(result_kept))
  count_end(COMPLETED, priority)
  return true
end
