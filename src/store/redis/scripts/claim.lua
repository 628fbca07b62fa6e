-- ARGV: worker, takeover ('1' or '0'), milliseconds of silence that allow a takeover, crashes that make poison, how long
-- a cancelled record is kept, the ids of all claims in one string, then in another of all claims: generation, ticket, kind's
-- length, priority, attempt, enqueued, expires, kind.
-- Answers in one string for each: R and P with token and crashes, D, H with milliseconds.
local CLAIM, LENGTH = '>I4I4I2BI4I8I8', 31
local FIRST = '>I4c4I2' -- the ticket as it is
local me, takeover, quiet, poison, span = ARGV[1], ARGV[2] == '1', tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local PROBATION = 250 -- milliseconds
local answer = {}
local function say(letter, number, crashes) answer[#answer + 1] = struct.pack('>c1I8I4', letter, number, crashes) end

-- Tokens rise for ever, also past a Redis that lost its last writes: they are at least the time in microseconds.
local last = math.max(tonumber(redis.call('GET', base .. ':token') or 0), time[1] * 1000000 + time[2])

local ticket -- of the claim at hand
local claimed = {}

local function run(id, r, crashes)
  last = last + 1
  say(crashes >= poison and r.s == 'R' and 'P' or 'R', last, crashes)
  if r.m then tell(r, '') end
  r.s, r.w, r.q, r.t, r.b, r.c, r.d, r.z = 'R', me, ticket, last, now, crashes, 0, false
  write_kept(id, r)
  claimed[#claimed + 1] = id
end

-- Whether this worker runs the task noted under a field of its own, and began after a time.
local function runs(field, id, since)
  local other = redis.call('HGET', worker(me), field)
  local r = other and other ~= id and read(other)
  return r and r.s == 'R' and r.w == me and r.b > since
end

-- Tasks that workers died with: not two at a time in their first moments, when most crash that crash at all, and with one
-- crash left to poison not two at a time.
local function crowded(id, crashes)
  if crashes == 0 or crashes >= poison then return false end
  local last = crashes + 1 == poison
  if runs('q', id, now - PROBATION) or last and runs('Q', id, 0) then return true end
  redis.call('HSET', worker(me), 'q', id)
  if last then redis.call('HSET', worker(me), 'Q', id) end
  return false
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
  if r.w == me and r.q == ticket then return say(r.c >= poison and 'P' or 'R', r.t, r.c) end
  local left = holds(r.w)
  if left > 0 then return say('H', left, 0) end
  -- A cancelled task starts no more, so it need not wait for a suspect.
  if not r.z and crowded(id, r.c + 1) then return say('H', PROBATION, 0) end
  order(r.w, 'l', id)
  if r.z then
    r.c = r.c + 1
    finish(id, r, 'X', span)
    return say('D', 0, 0)
  end
  run(id, r, r.c + 1)
end

-- The store was set back and the broker was not: the message knows better.
local function catch_up(id, r, g, attempt)
  if r.s == 'R' then order(r.w, 'l', id) end
  if r.s == 'D' then dig_up(id) end
  tell(r, '', '')
  r.s, r.f, r.g, r.a = 'Q', 0, g, attempt
  run(id, r, r.c)
end

local function judge(id, claim, kind)
  local generation, _, p, attempt, enqueued, expires
  generation, ticket, _, p, attempt, enqueued, expires = struct.unpack(CLAIM, claim)
  local r = read(id)
  if not r and generation == 0 and redis.call('EXISTS', withdrawn(id)) == 1 then
    say('D', 0, 0)
  elseif not r then
    run(id, fresh(kind, '', '', p, generation, attempt, enqueued, expires), 0)
    -- Nobody remembers its admission; with this, the totals balance.
    count('e', p)
  elseif r.g < generation then
    catch_up(id, r, generation, attempt)
  elseif FINAL[r.s] or r.g > generation then
    say('D', 0, 0)
  elseif r.s == 'R' then
    contend(id, r)
  elseif crowded(id, r.c) then
    say('H', PROBATION, 0)
  else
    if r.s == 'S' then leave(entry(id, generation)) end
    run(id, r, r.c)
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
