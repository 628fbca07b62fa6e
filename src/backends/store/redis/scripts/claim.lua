-- ARGV: worker, takeover ('1' or '0'), milliseconds of silence that allow a takeover, blame that makes poison, how long
-- a cancelled record is kept, the ids of all claims in one string, then in another of all claims: generation, ticket, kind's
-- length, priority, attempt, enqueued, expires, kind.
-- Answers in one string for each: R and P with token and crashes, D, H with milliseconds; O for a task of a dead worker
-- that nobody has buried yet.
local CLAIM, LENGTH = '>I4I4I2BI4I8I8', 31
local FIRST = '>I4c4I2' -- the ticket as it is
local me, takeover, quiet, poison, span = ARGV[1], ARGV[2] == '1', tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local answer = {}
local function say(letter, number, crashes) answer[#answer + 1] = struct.pack('>c1I8I4', letter, number, crashes) end

-- Tokens rise for ever, also past a Redis that lost its last writes: they are at least the time in microseconds.
local last = math.max(tonumber(redis.call('GET', base .. ':token') or 0), time[1] * 1000000 + time[2])

local ticket -- of the claim at hand
local claimed = {}

local function run(id, r)
  last = last + 1
  say(r.s == 'R' and blame(id, r) > poison and 'P' or 'R', last, r.c)
  if r.m then tell(r, '') end
  r.d = r.s == 'R' and math.min(r.d, now) or 0
  r.s, r.w, r.q, r.t, r.b, r.z = 'R', me, ticket, last, now, false
  write_kept(id, r)
  claimed[#claimed + 1] = id
end

-- As `retry::hold`, with its numbers: how long a task of a dead worker has yet to wait.
local STEP, BUDGET, QUICK, TURN, PATIENCE, ALONE = 250, 1500, 5, 500, 750, 15
local function suspect(id, r)
  local n = suspicion(id, r)
  local probation = STEP * math.max(math.floor(n / 256) % 256, 1)
  local matters = r.c > QUICK or r.c > 1 and probation <= BUDGET
  return { b = r.b, d = r.d, apart = matters and probation or 0, alone = math.floor(n / 65536) % 16 == ALONE and r.c > 1 }
end

-- What this worker runs of the tasks that workers died with.
local suspects
local function suspects_here()
  if suspects then return suspects end
  suspects = {}
  for _, id in ipairs(redis.call('SMEMBERS', claims(me))) do
    local r = read(id)
    if r and r.s == 'R' and r.w == me and r.c > 0 then suspects[#suspects + 1] = suspect(id, r) end
  end
  return suspects
end

local function somebody_waits_alone()
  local id = redis.call('GET', base .. ':alone')
  local r = id and read(id)
  return r and buried(r)
end

local function hold(id, r)
  if r.d > now + 1 then return r.d - now end
  local this, here, overdue, longest = suspect(id, r), suspects_here(), now - r.d, 0
  if overdue < PATIENCE then
    if this.alone then
      if #here > 0 then return STEP / 2 end
    elseif #here == 0 and somebody_waits_alone() then
      return STEP / 2
    end
  end
  for _, other in ipairs(here) do
    if other.alone or overdue < TURN and math.abs(other.d - r.d) >= this.apart then
      longest = math.max(longest, other.b + other.apart - now)
    end
  end
  return longest
end

-- How long the owner's claim still holds, from its beats.
local seen = {}
local function holds(owner)
  if not seen[owner] then
    local v = redis.call('HMGET', worker(owner), 'l', 'y')
    local left = (tonumber(v[1]) or 0) - now
    if takeover and left > 0 then left = math.min(left, (tonumber(v[2]) or 0) + quiet - now) end
    seen[owner] = { left }
  end
  return seen[owner][1]
end

local function contend(id, r)
  if r.w == me and r.q == ticket then return say(blame(id, r) > poison and 'P' or 'R', r.t, r.c) end
  local left = holds(r.w)
  if left > 0 then return say('H', left, 0) end
  if not buried(r) then return say('O', 0, 0) end
  if r.z then
    order(r.w, 'l', id)
    finish(id, r, 'X', span)
    return say('D', 0, 0)
  end
  -- Poison starts no more, so it need not wait.
  local wait = blame(id, r) > poison and 0 or hold(id, r)
  if wait > 0 then return say('H', wait, 0) end
  order(r.w, 'l', id)
  local here = suspects_here()
  run(id, r)
  here[#here + 1] = suspect(id, r)
end

-- The store was set back and the broker was not: the message knows better.
local function catch_up(id, r, g, attempt)
  if r.s == 'R' then order(r.w, 'l', id) end
  if r.s == 'D' then dig_up(id) end
  tell(r, '', '')
  r.s, r.f, r.g, r.a = 'Q', 0, g, attempt
  run(id, r)
end

local function judge(id, claim, kind)
  local generation, _, p, attempt, enqueued, expires
  generation, ticket, _, p, attempt, enqueued, expires = struct.unpack(CLAIM, claim)
  local r = read(id)
  if not r and generation == 0 and redis.call('EXISTS', withdrawn(id)) == 1 then
    say('D', 0, 0)
  elseif not r then
    run(id, fresh(kind, '', '', p, generation, attempt, enqueued, expires))
    -- Nobody remembers its admission; with this, the totals balance.
    count('e', p)
  elseif r.g < generation then
    catch_up(id, r, generation, attempt)
  elseif FINAL[r.s] or r.g > generation then
    say('D', 0, 0)
  elseif r.s == 'R' then
    contend(id, r)
  else
    if r.s == 'S' then leave(entry(id, generation)) end
    run(id, r)
  end
end

local list, at, started = ARGV[7], 1, struct.pack('>I8', now)
for _, id in ipairs(read_ahead(ARGV[6])) do
  local generation, mark, length = struct.unpack(FIRST, list, at)
  local v = held[id] and usual(begun, held[id], generation, started, struct.pack('>I8', last + 1), mark, me)
  if v then
    last = last + 1
    say('R', last, 0)
    put_together(id, v)
    claimed[#claimed + 1] = id
  else
    put_all()
    local kind = at + LENGTH
    judge(id, list:sub(at, kind - 1), list:sub(kind, kind + length - 1))
  end
  at = at + LENGTH + length
end
put_all()
if #claimed > 0 then
  redis.call('SADD', claims(me), unpack(claimed))
  -- Of a worker that nobody buries or forgets.
  redis.call('PEXPIRE', claims(me), 604800000)
end
redis.call('SET', base .. ':token', string.format('%.0f', last))
count_up()
return table.concat(answer)
