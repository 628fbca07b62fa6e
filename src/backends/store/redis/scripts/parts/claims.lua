-- Deciding whether a task runs at a worker. A task runs with one worker at a time: each claim that is given has
-- a token later than all before, and only the latest token settles the task.
--
-- `by` tells of the worker that claims: `me`, its id; `may_take_over` from a worker that is silent, for `quiet`
-- milliseconds; `bearable`, the blame that a task bears without being poison; `kept`, milliseconds that a
-- cancelled record is kept.
--
-- Claims are answered with a code, a number and crashes:
--   R run, with this token; P the same of a task that is poison
--   D drop the message: the task is over, or goes on with another message
--   H held by another worker: ask again after so many milliseconds
--   O owned by a dead worker whose lease is still to be ended
local OUTCOME_FORMAT = '>c1I8I4'

local function is_poison(by, id, record) return blame_of(suspicion(id, record)) > by.bearable end

local function say_run(by, id, record, token)
  local code = record.state == RUNNING and is_poison(by, id, record) and 'P' or 'R'
  return code, token, record.crashes
end

-- Tokens rise for ever, also past a Redis that lost its last writes: they are at least the time in
-- microseconds.
local latest_token = math.max(tonumber(redis.call('GET', LATEST_TOKEN) or 0), now_micros)

-- The ids of tasks that run at the worker from now on.
local claimed = {}

local function run(by, id, record, ticket)
  latest_token = latest_token + 1
  local code, token, crashes = say_run(by, id, record, latest_token)
  if record.has_progress then tell(record, { progress = '' }) end
  record.due = record.state == RUNNING and math.min(record.due, now) or 0
  record.state = RUNNING
  record.worker = by.me
  record.ticket = ticket
  record.token = latest_token
  record.started = now
  record.cancel_asked = false
  write_kept(id, record)
  claimed[#claimed + 1] = id
  return code, token, crashes
end

-- Waiting of tasks that workers died with: as `retry::hold`, with its numbers.
local STEP = 250
local BUDGET = 1500
local QUICK = 5
local TURN = 500
local PATIENCE = 750
local ALL_DOUBT = 15

local function suspect(id, record)
  local packed = suspicion(id, record)
  local window = STEP * math.max(window_of(packed), 1)
  local died_again = record.crashes > 1
  local matters = record.crashes > QUICK or died_again and window <= BUDGET
  return {
    started = record.started,
    due = record.due,
    apart = matters and window or 0,
    is_alone = died_again and doubt_of(packed) == ALL_DOUBT,
  }
end

-- What the worker runs of the tasks that workers died with.
local found_suspects
local function suspects_at(me)
  if found_suspects then return found_suspects end
  found_suspects = {}
  for _, id in ipairs(redis.call('SMEMBERS', claims_key(me))) do
    local record = read(id)
    if record and is_run_by(record, me) and record.crashes > 0 then
      found_suspects[#found_suspects + 1] = suspect(id, record)
    end
  end
  return found_suspects
end

local function a_task_waits_alone()
  local id = redis.call('GET', STARTS_ALONE)
  local record = id and read(id)
  return record and is_lease_over(record)
end

-- Milliseconds that a dead worker's task has yet to wait before it may start at the worker.
local function hold(by, id, record)
  -- The end of a lease makes it due no earlier than a millisecond after its start, which may be now.
  if record.due > now + 1 then return record.due - now end
  local this = suspect(id, record)
  local here = suspects_at(by.me)
  local overdue = now - record.due
  if overdue < PATIENCE then
    if this.is_alone then
      if #here > 0 then return STEP / 2 end
    elseif #here == 0 and a_task_waits_alone() then
      return STEP / 2
    end
  end
  local longest = 0
  for _, other in ipairs(here) do
    local takes_turns = overdue < TURN and math.abs(other.due - record.due) >= this.apart
    if other.is_alone or takes_turns then
      longest = math.max(longest, other.started + other.apart - now)
    end
  end
  return longest
end

-- How long a worker's claims still hold against that of another one.
local leases = {}
local function lease_against(by, worker)
  if leases[worker] then return leases[worker] end
  local till, beaten = unpack(redis.call('HMGET', worker_key(worker), 'l', 'y'))
  local left = (tonumber(till) or 0) - now
  if by.may_take_over and left > 0 then
    left = math.min(left, (tonumber(beaten) or 0) + by.quiet - now)
  end
  leases[worker] = left
  return left
end

-- A claim of a task that runs, or ran with a worker that is dead.
local function contend(by, id, record, ticket)
  -- This delivery has it already: the answer to its claim was lost.
  if record.worker == by.me and record.ticket == ticket then
    return say_run(by, id, record, record.token)
  end
  local left = lease_against(by, record.worker)
  if left > 0 then return 'H', left, 0 end
  if not is_lease_over(record) then return 'O', 0, 0 end
  if record.cancel_asked then
    order(record.worker, 'l', id)
    finish(id, record, CANCELLED, by.kept)
    return 'D', 0, 0
  end
  -- Poison starts no more, so it need not wait.
  local wait = is_poison(by, id, record) and 0 or hold(by, id, record)
  if wait > 0 then return 'H', wait, 0 end
  order(record.worker, 'l', id)
  local here = suspects_at(by.me)
  local code, token, crashes = run(by, id, record, ticket)
  here[#here + 1] = suspect(id, record)
  return code, token, crashes
end

-- The store was set back and the broker was not: the message knows better.
local function catch_up(by, id, record, message, ticket)
  if record.state == RUNNING then order(record.worker, 'l', id) end
  if record.state == DEAD then remove_dead_letter(id) end
  tell(record, { progress = '', result = '' })
  record.state = QUEUED
  record.finished = 0
  record.generation = message.generation
  record.attempt = message.attempt
  return run(by, id, record, ticket)
end

-- The task's admission is not recorded; with a count of it the totals balance.
local function run_unknown(by, id, message, ticket)
  message.whose = message.queue and PART .. PART .. message.queue or ''
  message.unique_key = ''
  local record = fresh(message)
  count(ENQUEUED, queue_of(record))
  return run(by, id, record, ticket)
end

-- `message` tells the generation, and `message_of` makes of it a table with kind, priority, attempt, enqueued
-- expires and, of a user's own, queue as well.
local function decide(by, id, message, ticket, message_of)
  local record = read(id)
  local generation = message.generation
  if not record and generation == 0 and redis.call('EXISTS', withdrawn_key(id)) == 1 then
    return 'D', 0, 0
  elseif not record then
    return run_unknown(by, id, message_of(message), ticket)
  elseif record.generation < generation then
    return catch_up(by, id, record, message_of(message), ticket)
  elseif FINAL[record.state] or record.generation > generation then
    return 'D', 0, 0
  elseif record.state == RUNNING then
    return contend(by, id, record, ticket)
  end
  if record.state == SCHEDULED then leave(entry_of(id, record)) end
  return run(by, id, record, ticket)
end

-- Remembers what the worker runs now, and the latest token.
local function write_claims(me)
  slices(claimed, function(...) redis.call('SADD', claims_key(me), ...) end)
  if #claimed > 0 then redis.call('PEXPIRE', claims_key(me), CLAIMS_KEPT) end
  redis.call('SET', LATEST_TOKEN, string.format('%.0f', latest_token))
end
