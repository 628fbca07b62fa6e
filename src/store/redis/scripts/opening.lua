-- Names and steps that all scripts of the store share. Clocks are the server's.
local base = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local SCHEDULE = base .. ':s'           -- sorted set: entry (id and generation) by due time
local SCHEDULED = base .. ':sm'         -- hash: entry -> message
local HANDED = base .. ':sh'            -- hash: entry -> '1' once it was handed out as due, until it is scheduled again
local DEAD = base .. ':d'               -- sorted set: id by time of death
local LETTERS = base .. ':dm'           -- hash: id -> letter
local WORKERS = base .. ':ws'           -- set of registered workers
local PAUSED = base .. ':paused'        -- set of queues
local TOTALS = base .. ':n'             -- hash: letter and queue -> count
local EVENTS = base .. ':ev'            -- channel: 'f' and id of a watched task that is over; 's' for an earlier due time
local NOTES = base .. ':ns'             -- sorted set: names of notes, all of score 0; a name may outlive its note
local ORDERS_KEPT = 600000              -- a zombie that wakes within this is told what it lost

-- One task: k kind, n tenant, p priority, s state, g generation, a attempts failed, c crashes, e enqueued, x expires,
-- b started, f finished, d due, w worker, q ticket, t token, m progress, r result, F failure, u unique key, z cancel was asked for,
-- o somebody waits for its end.
local function task(id) return base .. ':t:' .. id end
local function unique(key) return base .. ':u:' .. key end
local function worker(id) return base .. ':w:' .. id end
local function note(name) return base .. ':note:' .. name end
local function journal(topic) return base .. ':j:' .. topic end
local function claims(owner) return base .. ':c:' .. owner end -- set: what the worker runs, and what passed to another
local function entry(id, generation) return id .. struct.pack('>I4', generation) end

local FINAL = { C = true, D = true, X = true }

local function read(id)
  local v = redis.call('HMGET', task(id), 's', 'g', 'w', 'c', 'z', 'u', 'p', 't', 'o', 'x', 'q')
  if not v[1] then return nil end
  return { s = v[1], g = tonumber(v[2]), w = v[3], c = tonumber(v[4] or 0), z = v[5], u = v[6], p = tonumber(v[7]),
           t = v[8], o = v[9], x = tonumber(v[10] or 0), q = v[11] }
end

-- Lua's stack takes some 8,000 values at once.
local function slices(list, f)
  for from = 1, #list, 2000 do
    f(unpack(list, from, math.min(from + 1999, #list)))
  end
end

-- A task that waits on a queue is forgotten some time after it has expired; the queue's own expiry comes long before.
local function forget_at(id, key, expires, margin)
  local at = math.max(expires, now) + margin
  redis.call('PEXPIREAT', task(id), at)
  if key then redis.call('PEXPIREAT', unique(key), at) end
end

local function keep(id, key)
  redis.call('PERSIST', task(id))
  if key then redis.call('PERSIST', unique(key)) end
end

-- Totals are summed up here and written once, by `count_up`.
local QUEUES = { [0] = 0, 1, 2, 2, 3, 4, 5 }
local counts = {}
local function count(letter, priority, by)
  local field = letter .. QUEUES[priority]
  counts[field] = (counts[field] or 0) + (by or 1)
end

local function count_up()
  local bucket = TOTALS .. ':' .. math.floor(now / 10000)
  for field, by in pairs(counts) do
    redis.call('HINCRBY', TOTALS, field, by)
    local letter = field:sub(1, 1)
    if letter ~= 'r' then redis.call('HINCRBY', bucket, (letter == 'e' and 'e' or 'f') .. field:sub(2), by) end
  end
  if next(counts) then redis.call('PEXPIRE', bucket, 120000) end
end

-- The schedule set.
local function earliest()
  return tonumber(redis.call('ZRANGE', SCHEDULE, 0, 0, 'WITHSCORES')[2])
end

local before = false
local function enter(e, at, value)
  if before == false then before = earliest() end
  redis.call('ZADD', SCHEDULE, at, e)
  redis.call('HSET', SCHEDULED, e, value)
  redis.call('HDEL', HANDED, e)
end

-- Tells whoever waits for the next due time that it came nearer.
local function announce()
  if before == false then return end
  local head = earliest()
  if head and (not before or head < before) then redis.call('PUBLISH', EVENTS, 's') end
end

local function leave(e)
  redis.call('ZREM', SCHEDULE, e)
  redis.call('HDEL', SCHEDULED, e)
  redis.call('HDEL', HANDED, e)
end

-- Ends a task: its record is kept for `span`, its unique key is free. More fields may follow.
local function finish(id, r, state, span, ...)
  redis.call('HSET', task(id), 's', state, 'f', now, ...)
  redis.call('HDEL', task(id), 'w', 'q', 't', 'm', 'd', 'z', 'o')
  redis.call('PEXPIRE', task(id), span)
  if r.u and redis.call('GET', unique(r.u)) == id then redis.call('DEL', unique(r.u)) end
  if r.o then redis.call('PUBLISH', EVENTS, 'f' .. id) end
  count(state:lower(), r.p)
end

local function bury(id, died, letter, retention)
  redis.call('ZADD', DEAD, died, id)
  redis.call('HSET', LETTERS, id, letter)
  -- Old letters go as new ones come.
  local old = redis.call('ZRANGEBYSCORE', DEAD, '-inf', now - retention, 'LIMIT', 0, 10)
  if #old > 0 then
    redis.call('ZREM', DEAD, unpack(old))
    redis.call('HDEL', LETTERS, unpack(old))
  end
end

-- Takes a letter out; answers whether there was one.
local function dig_up(id)
  redis.call('HDEL', LETTERS, id)
  return redis.call('ZREM', DEAD, id) == 1
end

local function order(owner, what, id)
  local key = base .. ':o:' .. owner
  redis.call('RPUSH', key, what .. id)
  redis.call('PEXPIRE', key, ORDERS_KEPT)
end

-- The number of the latest leader, when it is later than the one given. No role: no leader's work.
local function overtaken(role, number)
  if role == '' then return nil end
  local current = tonumber(redis.call('HGET', base .. ':l:' .. role, 'n') or 0)
  return current > tonumber(number) and redis.error_reply('FENCED ' .. current) or nil
end
