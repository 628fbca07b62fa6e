-- Ends of attempts, which count only with the latest token that was given for the task. `keep` tells in
-- milliseconds how long are kept: `margin`, a queued record after its task's expiry; `dead`, dead letters;
-- `cancelled`, cancelled records.
--
-- They come in one string: of each the token, a code for the end, a number that depends on it, and three
-- values, each after its length.
local SETTLEMENT_FORMAT = '>I8c1I8I4c0I4c0I4c0'
-- Up to the first value, whose length it tells.
local SETTLEMENT_START_FORMAT = '>c8c1I8I4'
local FIRST_VALUE_OFFSET = 17
-- The other values of a completion, which has none.
local NO_VALUES_WIDTH = 8
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
  C = function(_, id, record, result_kept, result)
    finish(id, record, COMPLETED, result_kept, { result = result })
  end,
  -- To be retried.
  R = function(keep, id, record, due, generation, message, failure)
    record.attempt = record.attempt + 1
    if record.cancel_asked then
      return finish(id, record, CANCELLED, keep.cancelled, { failure = failure })
    end
    let_go(record)
    tell(record, { failure = failure })
    record.state = SCHEDULED
    record.generation = tonumber(generation)
    record.due = due
    write(id, record)
    enter(entry(id, generation), due, message)
    count(RETRIED, queue_of(record))
  end,
  -- Dead. The attempt has failed ('1'), or else the task's time was over or its workers died ('0').
  D = function(keep, id, record, died, letter, failure, failed)
    record.attempt = record.attempt + tonumber(failed)
    add_dead_letter(id, died, letter, keep.dead)
    finish(id, record, DEAD, keep.dead, { failure = failure })
  end,
  -- Cancelled. What is told of it stands where a result would.
  X = function(keep, id, record, _, told)
    finish(id, record, CANCELLED, keep.cancelled, told ~= '' and { result = told } or nil)
  end,
  -- Given back.
  L = give_back,
  -- The same, and its message comes back later.
  P = function(keep, id, record, due, message)
    give_back(keep, id, record)
    if record.state == QUEUED then enter(entry_of(id, record), due, message) end
  end,
}

-- The ids of tasks that each worker runs no more.
local left = {}
local function leaves(worker, id)
  local ids = left[worker] or {}
  left[worker] = ids
  ids[#ids + 1] = id
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

-- The usual end, with one write. Takes where the settlement begins, and answers where it is over, the task's
-- queue, and its message's entry; nil where it is not the usual end.
local function complete(id, key, settlements, offset)
  local bytes = known[id]
  if not bytes then return nil end
  local token, code, kept, length = struct.unpack(SETTLEMENT_START_FORMAT, settlements, offset)
  if code ~= COMPLETION then return nil end
  local from = offset + FIRST_VALUE_OFFSET
  local after = from + LENGTH_WIDTH + length
  local over, queue, generation, worker = completed(bytes, token, sub(settlements, from, after - 1))
  if not over then return nil end
  known[id] = over
  redis.call('SET', key, over, 'PXAT', forget_times[kept] or forget_at(kept))
  leaves(worker, id)
  count(COMPLETED, queue)
  return after + NO_VALUES_WIDTH, queue, id .. generation
end
