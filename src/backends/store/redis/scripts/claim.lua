-- Decides for each delivered message whether its task runs here. A task runs with one worker at a time: each
-- claim that is given has a token later than all before, and only the latest token settles the task.
-- ARGV: worker; '1' where it may take over from a worker that is silent; milliseconds of such silence; blame
-- that a task bears without being poison; milliseconds that a cancelled record is kept; the ids of all claims
-- in one string; and in another of all claims: generation, ticket, length of kind, priority, attempt,
-- enqueued, expires, kind.
-- Answers in one string for each: a code, a number and crashes.
--   R run, with this token; P the same of a task that is poison
--   D drop the message: the task is over, or goes on with another message
--   H held by another worker: ask again after so many milliseconds
--   O owned by a dead worker whose lease is still to be ended
local OUTCOME_FORMAT = '>c1I8I4'
local CLAIM_FORMAT = '>I4I4I2BI4I8I8'
local CLAIM_WIDTH = 31
-- The same without what the usual step does not need, and with the numbers packed.
local CLAIM_START_FORMAT = '>c4c4I2'

local me = ARGV[1]
local may_take_over = ARGV[2] == '1'
local quiet = tonumber(ARGV[3])
local bearable = tonumber(ARGV[4])
local kept = ARGV[5]
local ids = ARGV[6]
local claims = ARGV[7]

local outcomes = {}
local function say(code, number, crashes)
  outcomes[#outcomes + 1] = struct.pack(OUTCOME_FORMAT, code, number, crashes)
end

local function is_poison(id, record) return blame_of(suspicion(id, record)) > bearable end

local function say_run(id, record, token)
  local code = record.state == RUNNING and is_poison(id, record) and 'P' or 'R'
  say(code, token, record.crashes)
end

-- Tokens rise for ever, also past a Redis that lost its last writes: they are at least the time in
-- microseconds.
local latest_token = math.max(tonumber(redis.call('GET', LATEST_TOKEN) or 0), now_micros)

-- The ids of tasks that run here from now on.
local claimed = {}

local function run(id, record, ticket)
  latest_token = latest_token + 1
  say_run(id, record, latest_token)
  if record.has_progress then tell(record, { progress = '' }) end
  record.due = record.state == RUNNING and math.min(record.due, now) or 0
  record.state = RUNNING
  record.worker = me
  record.ticket = ticket
  record.token = latest_token
  record.started = now
  record.cancel_asked = false
  write_kept(id, record)
  claimed[#claimed + 1] = id
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

-- What this worker runs of the tasks that workers died with.
local found_suspects
local function suspects_here()
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

-- Milliseconds that a dead worker's task has yet to wait before it may start here.
local function hold(id, record)
  -- The end of a lease makes it due no earlier than a millisecond after its start, which may be now.
  if record.due > now + 1 then return record.due - now end
  local this = suspect(id, record)
  local here = suspects_here()
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

-- How long a worker's claims still hold against this one.
local leases = {}
local function lease_against_me(worker)
  if leases[worker] then return leases[worker] end
  local till, beaten = unpack(redis.call('HMGET', worker_key(worker), 'l', 'y'))
  local left = (tonumber(till) or 0) - now
  if may_take_over and left > 0 then
    left = math.min(left, (tonumber(beaten) or 0) + quiet - now)
  end
  leases[worker] = left
  return left
end

-- A claim of a task that runs, or ran with a worker that is dead.
local function contend(id, record, ticket)
  -- This delivery has it already: the answer to its claim was lost.
  if record.worker == me and record.ticket == ticket then return say_run(id, record, record.token) end
  local left = lease_against_me(record.worker)
  if left > 0 then return say('H', left, 0) end
  if not is_lease_over(record) then return say('O', 0, 0) end
  if record.cancel_asked then
    order(record.worker, 'l', id)
    finish(id, record, CANCELLED, kept)
    return say('D', 0, 0)
  end
  -- Poison starts no more, so it need not wait.
  local wait = is_poison(id, record) and 0 or hold(id, record)
  if wait > 0 then return say('H', wait, 0) end
  order(record.worker, 'l', id)
  local here = suspects_here()
  run(id, record, ticket)
  here[#here + 1] = suspect(id, record)
end

-- The store was set back and the broker was not: the message knows better.
local function catch_up(id, record, generation, attempt, ticket)
  if record.state == RUNNING then order(record.worker, 'l', id) end
  if record.state == DEAD then remove_dead_letter(id) end
  tell(record, { progress = '', result = '' })
  record.state = QUEUED
  record.finished = 0
  record.generation = generation
  record.attempt = attempt
  run(id, record, ticket)
end

-- The task's admission is not recorded; with a count of it the totals balance.
local function run_unknown(id, message, ticket)
  run(id, fresh(message), ticket)
  count(ENQUEUED, message.priority)
end

local function decide(id, claim, kind)
  local generation, ticket, _, priority, attempt, enqueued, expires = struct.unpack(CLAIM_FORMAT, claim)
  local record = read(id)
  if not record and generation == 0 and redis.call('EXISTS', withdrawn_key(id)) == 1 then
    say('D', 0, 0)
  elseif not record then
    run_unknown(id, {
      kind = kind,
      whose = '',
      unique_key = '',
      priority = priority,
      generation = generation,
      attempt = attempt,
      enqueued = enqueued,
      expires = expires,
    }, ticket)
  elseif record.generation < generation then
    catch_up(id, record, generation, attempt, ticket)
  elseif FINAL[record.state] or record.generation > generation then
    say('D', 0, 0)
  elseif record.state == RUNNING then
    contend(id, record, ticket)
  else
    if record.state == SCHEDULED then leave(entry_of(id, record)) end
    run(id, record, ticket)
  end
end

local started = struct.pack(STARTED_FORMAT, now)
local offset = 1
for _, id in ipairs(read_ahead(ids)) do
  local generation, ticket, kind_length = struct.unpack(CLAIM_START_FORMAT, claims, offset)
  local kind_offset = offset + CLAIM_WIDTH
  local bytes = known[id]
  local token = struct.pack(TOKEN_FORMAT, latest_token + 1)
  local running = bytes and begun(bytes, generation, started, token, ticket, me)
  if running then
    latest_token = latest_token + 1
    say('R', latest_token, 0)
    put_together(id, running)
    claimed[#claimed + 1] = id
  else
    put_all()
    local kind = claims:sub(kind_offset, kind_offset + kind_length - 1)
    decide(id, claims:sub(offset, kind_offset - 1), kind)
  end
  offset = kind_offset + kind_length
end
put_all()
if #claimed > 0 then
  redis.call('SADD', claims_key(me), unpack(claimed))
  redis.call('PEXPIRE', claims_key(me), CLAIMS_KEPT)
end
redis.call('SET', LATEST_TOKEN, string.format('%.0f', latest_token))
count_up()
return table.concat(outcomes)
