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
local ASIDE = base .. ':xs'             -- list: letter and name of what was set aside and nobody was told of
local ASIDE_TOLD = 10000                -- of more than these the oldest are not told of
local ASIDE_KEPT = 2592000000           -- 30 days: what was set aside can be looked at this long
local SUSPICION_KEPT = 604800000        -- as long as a worker's claims
local ORDERS_KEPT = 600000              -- a zombie that wakes within this is told what it lost

-- One task is a string: a head of fixed length, which is all that most steps need, then a tail.
-- Head: s state, z cancel was asked for, o somebody waits for its end, u it has a unique key, m it told of its progress,
-- p priority, g generation, a attempts failed, c crashes, e enqueued, x expires, b started, f finished, d due (0: not), t token,
-- q ticket, w worker. Of a task that workers died with, d is, while it runs, when it was to start again: later than b until
-- it has. Tail: kind, whose (tenant, and after \30 the token that enqueued it),
-- unique key with what it counts within, progress, result, failure ('': none).
local HEAD, TAIL_AT = '>c1BBBBBI4I4I4I8I8I8I8I8I8I4c16', 87
local TAIL = '>I4c0I4c0I4c0I4c0I4c0I4c0'
local NOBODY = ('\0'):rep(16)
local function task(id) return base .. ':t:' .. id end
local function withdrawn(id) return base .. ':v:' .. id end -- its message may turn up, and is not to run
local function unique(key) return base .. ':u:' .. key end
local function worker(id) return base .. ':w:' .. id end
local function note(name) return base .. ':note:' .. name end
local function suspected(id) return base .. ':y:' .. id end -- what `retry::Suspicion` packs; nothing: no more than crashes
-- What cannot be read, as it was. A letter says what: t record, s entry of the schedule set, d dead letter, j journal entry,
-- n note, w heartbeat, m message (which the broker's scripts set aside).
local function aside(what, name) return base .. ':x:' .. what .. ':' .. name end
local function suspected(id) return base .. ':y:' .. id end -- what `retry::Suspicion` packs; nothing: no more than crashes
-- Apart from its orders, which an earlier version's worker reads: it would take a question for one.
local function questions(owner) return base .. ':ask:' .. owner end
local function journal(topic) return base .. ':j:' .. topic end
local function claims(owner) return base .. ':c:' .. owner end -- set: what the worker runs, and what passed to another
local function entry(id, generation) return id .. struct.pack('>I4', generation) end

-- The ticket of a task that waits on its queue and is not to be withdrawn: it was with a worker, or somebody repeated it.
local WANTED = 1

local STATES = { S = true, Q = true, R = true, C = true, D = true, X = true }
local FINAL = { C = true, D = true, X = true }

-- Who has the key, and is not over.
local function holder(key)
  local other = redis.call('GET', unique(key))
  -- An error: it is no record, so nobody has the key.
  local state = other and redis.pcall('GETRANGE', task(other), 0, 0)
  return STATES[state] and not FINAL[state] and other
end

-- What a script has read ahead, or written: false where there is no record.
local held = {}

-- Lua's stack takes some 8,000 values at once.
local function slices(list, f)
  for from = 1, #list, 2000 do
    f(unpack(list, from, math.min(from + 1999, #list)))
  end
end

-- Reads the records of many tasks with one command. Takes the ids in one string and answers them as a list.
local function read_ahead(all)
  local ids, keys, prefix = {}, {}, task('')
  for i = 1, #all / 16 do
    local id = all:sub(16 * i - 15, 16 * i)
    ids[i], keys[i] = id, prefix .. id
  end
  local read = 0
  slices(keys, function(...)
    for _, v in ipairs(redis.call('MGET', ...)) do
      read = read + 1
      held[ids[read]] = v
    end
  end)
  return ids
end

local function is_record(v)
  if #v < TAIL_AT or not STATES[v:sub(1, 1)] or v:byte(6) > 6 then return false end
  local at = TAIL_AT
  for _ = 1, 6 do
    if at + 3 > #v then return false end
    at = at + 4 + struct.unpack('>I4', v, at)
  end
  return at == #v + 1
end

-- What cannot be read must cost itself alone: it is kept under another name, and told of.
local function tell_aside(what, name)
  redis.call('RPUSH', ASIDE, what .. name)
  redis.call('LTRIM', ASIDE, -ASIDE_TOLD, -1)
end

local function keep_aside(what, name, value)
  redis.call('SET', aside(what, name), value or '', 'PX', ASIDE_KEPT)
  tell_aside(what, name)
end

-- A whole key, whatever its type.
local function move_aside(what, name, key)
  redis.call('RENAME', key, aside(what, name))
  redis.call('PEXPIRE', aside(what, name), ASIDE_KEPT)
  tell_aside(what, name)
end

-- The task is from now on one that nobody remembers.
local function set_aside(id)
  move_aside('t', id, task(id))
  held[id] = false
end

local function read(id)
  local v = held[id]
  -- An error: the value is no string. Read with others, it looks as if there were none.
  if v == nil then v = redis.pcall('GET', task(id)) end
  if v == false and redis.call('EXISTS', task(id)) == 0 then return nil end
  if type(v) ~= 'string' or not is_record(v) then
    set_aside(id)
    return nil
  end
  local s, z, o, u, m, p, g, a, c, e, x, b, f, d, t, q, w = struct.unpack(HEAD, v)
  return { s = s, z = z == 1, o = o == 1, u = u == 1, m = m == 1, p = p, g = g, a = a, c = c, e = e, x = x, b = b, f = f,
           d = d, t = t, q = q, w = w, tail = v:sub(TAIL_AT) }
end

local function bit(flag) return flag and 1 or 0 end

-- Options are those of SET; without any, the record stays for good.
local function put(id, v, ...)
  held[id] = v
  redis.call('SET', task(id), v, ...)
end

-- Puts a record that stays for good once `put_all` is called, with one command for many.
local together = {}
local function put_together(id, v)
  held[id] = v
  local n = #together
  together[n + 1], together[n + 2] = task(id), v
end

local function put_all()
  slices(together, function(...) redis.call('MSET', ...) end)
  together = {}
end

local function write(id, r, ...)
  local head = struct.pack(HEAD, r.s, bit(r.z), bit(r.o), bit(r.u), bit(r.m), r.p, r.g, r.a, r.c, r.e, r.x, r.b, r.f, r.d, r.t,
                           r.q, r.w)
  put(id, head .. r.tail, ...)
end

-- The usual steps of a task, made on the packed record as it is, without a table of its values; nil where the step is not
-- the usual one. They fail on bytes that are no record, so they are called through `usual`.
local function usual(step, v, ...)
  local done, changed, priority, owner = pcall(step, v, ...)
  if done then return changed, priority, owner end
end

local NO_TIME, NO_ONE = ('\0'):rep(8), ('\0'):rep(36)

-- From its queue to a worker: it has no unique key, told nothing, and nobody died with it.
local QUEUED, RUNNING = ('QR'):byte(1, 2)
local function begun(v, generation, now, token, ticket, me)
  local s, u, m, g, c = struct.unpack('>BxxBBxI4xxxxI4', v)
  if s ~= QUEUED or u ~= 0 or m ~= 0 or g ~= generation or c ~= 0 then return nil end
  return 'R\0' .. v:sub(3, 34) .. now .. v:sub(43, 50) .. NO_TIME .. token .. ticket .. me .. v:sub(TAIL_AT)
end

-- From the worker with this token to its end: nobody waits for it, it has no unique key, and it told and failed nothing.
-- Answers priority and worker as well.
local AS_IT_RUNS = '>BxBBBB' .. ('x'):rep(52) .. 'I8I4c16I4c0I4c0'
local function completed(v, token, now, result)
  local s, o, u, m, p, t, _, w, kind, whose, at = struct.unpack(AS_IT_RUNS, v)
  if s ~= RUNNING or o ~= 0 or u ~= 0 or m ~= 0 or t ~= token then return nil end
  if #v ~= at + 15 then return nil end
  return 'C\0\0\0\0' .. v:sub(6, 42) .. now .. NO_ONE .. v:sub(TAIL_AT, at + 7) ..
           struct.pack('>I4c0I4', #result, result, 0), p, w
end

local function tail(kind, whose, key, progress, result, failure)
  return struct.pack(TAIL, #kind, kind, #whose, whose, #key, key, #progress, progress, #result, result, #failure, failure)
end

local function fresh(kind, whose, key, p, g, attempt, enqueued, expires)
  return { s = 'Q', z = false, o = false, u = key ~= '', m = false, p = tonumber(p), g = tonumber(g), a = tonumber(attempt),
           c = 0, e = tonumber(enqueued), x = tonumber(expires), b = 0, f = 0, d = 0, t = 0, q = 0, w = NOBODY,
           tail = tail(kind, whose, key, '', '', '') }
end

local function key_of(r) return r.u and select(3, struct.unpack(TAIL, r.tail)) end

-- What became of it; nil leaves a value as it is.
local function tell(r, progress, result, failure)
  local kind, whose, key, p, res, f = struct.unpack(TAIL, r.tail)
  r.m = (progress or p) ~= ''
  r.tail = tail(kind, whose, key, progress or p, result or res, failure or f)
end

-- Nobody runs it any more.
local function let_go(r)
  r.w, r.q, r.t = NOBODY, 0, 0
  if r.m then tell(r, '') end
end

-- A task that waits on a queue is forgotten some time after it has expired; the queue's own expiry comes long before.
local function write_queued(id, r, margin)
  local at = math.max(r.x, now) + margin
  write(id, r, 'PXAT', at)
  if r.u then redis.call('PEXPIREAT', unique(key_of(r)), at) end
end

local function write_kept(id, r)
  write(id, r)
  if r.u then redis.call('PERSIST', unique(key_of(r))) end
end

-- Totals are summed up here and written once, by `count_up`.
local QUEUES = { [0] = '0', '1', '2', '2', '3', '4', '5' }
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

-- Of a task that workers died with. It is no part of the record, so that workers of an earlier version, which know a
-- record's crashes alone, count on from them.
local function suspicion(id, r) return r.c > 0 and tonumber(redis.call('GET', suspected(id))) or 0 end
local function blame(id, r) return math.floor(suspicion(id, r) / 1048576) end

-- A task of a dead worker: it is known who answers for the death, and when it may start again.
local function buried(r) return r.s == 'R' and r.d > r.b end

-- How long a worker's claims still hold.
local function lease_left(owner)
  return (tonumber(redis.call('HGET', worker(owner), 'l')) or 0) - now
end

-- A number as somebody may have left it, as one that can be a time or a count.
local function natural(v) return math.max(0, math.min(tonumber(v) or 0, 9007199254740991)) end

-- The schedule set.
local function earliest()
  local first = redis.call('ZRANGE', SCHEDULE, 0, 0, 'WITHSCORES')[2]
  return first and natural(first)
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

-- When a record goes that is kept for so long, as text: Redis takes a number apart digit by digit.
local forgotten = {}
local function forget_at(span)
  forgotten[span] = forgotten[span] or ('%d'):format(now + math.max(tonumber(span), 1))
  return forgotten[span]
end

-- Ends a task: its record is kept for `span`, its unique key is free.
local function finish(id, r, state, span, result, failure)
  local key = key_of(r)
  tell(r, '', result, failure)
  let_go(r)
  if r.o then redis.call('PUBLISH', EVENTS, 'f' .. id) end
  r.s, r.f, r.d, r.z, r.o = state, now, 0, false, false
  write(id, r, 'PXAT', forget_at(span))
  if key and redis.call('GET', unique(key)) == id then redis.call('DEL', unique(key)) end
  count(state:lower(), r.p)
end

-- Whether an entry and its value are a message: its body is looked at by whoever runs it.
local function is_message(e, value) return #e == 20 and value and #value >= 17 and value:byte(1) <= 6 end

local function set_entry_aside(e, value)
  leave(e)
  keep_aside('s', e, value)
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
