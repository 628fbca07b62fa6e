-- Ends attempts: the outcome with its schedule entry or dead letter in one step, and only where the token is
-- the latest that was given for the task.
-- ARGV: milliseconds that a queued record outlives its task's expiry, that dead letters are kept, that
-- cancelled records are kept; the ids of all settlements in one string; and in another of all: token, a
-- code for the end, and four values that depend on it, each after its length.
-- Answers a string of '1' where the token was the latest, else '0'.
local SETTLEMENT_FORMAT = '>c8c1I4c0I4c0I4c0I4c0'
local COMPLETION = 'C'

local margin = tonumber(ARGV[1])
local dead_kept = tonumber(ARGV[2])
local cancelled_kept = ARGV[3]
local ids = ARGV[4]
local settlements = ARGV[5]

local ends = {}

-- Completed.
function ends.C(id, record, result, result_kept)
  finish(id, record, COMPLETED, result_kept, { result = result })
end

-- To be retried.
function ends.R(id, record, generation, due, message, failure)
  record.attempt = record.attempt + 1
  if record.cancel_asked then return finish(id, record, CANCELLED, cancelled_kept, { failure = failure }) end
  let_go(record)
  tell(record, { failure = failure })
  record.state = SCHEDULED
  record.generation = tonumber(generation)
  record.due = tonumber(due)
  write(id, record)
  enter(entry(id, generation), due, message)
  count(RETRIED, record.priority)
end

-- Dead. The attempt has failed ('1'), or else the task's time was over or its workers died ('0').
function ends.D(id, record, letter, died, failure, failed)
  record.attempt = record.attempt + tonumber(failed)
  add_dead_letter(id, died, letter, dead_kept)
  finish(id, record, DEAD, dead_kept, { failure = failure })
end

-- Cancelled.
function ends.X(id, record)
  finish(id, record, CANCELLED, cancelled_kept)
end

-- Given back, as if it had never been claimed.
function ends.L(id, record)
  if record.cancel_asked then return finish(id, record, CANCELLED, cancelled_kept) end
  let_go(record)
  record.state = QUEUED
  record.started = 0
  record.due = 0
  record.ticket = WANTED
  write_queued(id, record, margin)
end

-- The same, and its message comes back later.
function ends.P(id, record, message, due)
  ends.L(id, record)
  if record.state == QUEUED then enter(entry_of(id, record), tonumber(due), message) end
end

-- The ids of tasks that each worker runs no more.
local left = {}
local function leaves(worker, id)
  left[worker] = left[worker] or {}
  table.insert(left[worker], id)
end

local function settle(id, token, code, ...)
  local record = read(id)
  local is_latest = record and record.state == RUNNING and record.token == struct.unpack(TOKEN_FORMAT, token)
  if not is_latest then return '0' end
  leaves(record.worker, id)
  ends[code](id, record, ...)
  return '1'
end

local finished = struct.pack(FINISHED_FORMAT, now)
local answer = {}
local offset = 1
for _, id in ipairs(read_ahead(ids)) do
  local token, code, one, two, three, four, following =
    struct.unpack(SETTLEMENT_FORMAT, settlements, offset)
  local over, priority, worker
  if code == COMPLETION and known[id] then
    over, priority, worker = completed(known[id], token, finished, one)
  end
  if over then
    leaves(worker, id)
    put(id, over, 'PXAT', forget_at(two))
    count_end(COMPLETED, priority)
    answer[#answer + 1] = '1'
  else
    answer[#answer + 1] = settle(id, token, code, one, two, three, four)
  end
  offset = following
end
for worker, settled in pairs(left) do
  redis.call('SREM', claims_key(worker), unpack(settled))
end
announce()
count_up()
return table.concat(answer)
