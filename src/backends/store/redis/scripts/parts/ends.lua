-- The ends of tasks, and dead letters.

-- When a record goes that is kept for so long, as text: Redis takes a number apart digit by digit.
local forget_times = {}
local function forget_at(kept)
  forget_times[kept] = forget_times[kept] or ('%d'):format(now + math.max(tonumber(kept), 1))
  return forget_times[kept]
end

local function free_key(id, unique_key)
  if unique_key and redis.call('GET', holder_key(unique_key)) == id then
    redis.call('DEL', holder_key(unique_key))
  end
end

-- Ends a task: its record is kept for so long, its unique key is free. `news` is its result or its failure.
local function finish(id, record, state, kept, news)
  local unique_key = unique_key_of(record)
  tell(record, { progress = '', result = news and news.result, failure = news and news.failure })
  let_go(record)
  if record.awaited then redis.call('PUBLISH', EVENTS, 'f' .. id) end
  record.state = state
  record.finished = now
  record.due = 0
  record.cancel_asked = false
  record.awaited = false
  write(id, record, 'PXAT', forget_at(kept))
  free_key(id, unique_key)
  count(state, queue_of(record))
end

local function unfinished_holder(key)
  local other = redis.call('GET', holder_key(key))
  if not other then return nil end
  -- An error: it is no record, so no task has the key.
  local state = redis.pcall('GETRANGE', task_key(other), STATE_OFFSET - 1, STATE_OFFSET - 1)
  return STATES[state] and not FINAL[state] and other or nil
end

-- The task that has the key and is not over, or nil. A tenant's task of the version before has it without the
-- tenant.
local function holder(unique_key)
  local other = unfinished_holder(unique_key)
  if other then return other end
  local tenant, key = unique_key:match('^tenant\31([^\31]+)\31(.+)$')
  other = key and unfinished_holder(key)
  local record = other and read(other)
  return record and unpack_tail(record.tail).whose == tenant and other or nil
end

-- Old dead letters go as new ones come, so many at a time.
local LETTERS_FORGOTTEN = 10
local function add_dead_letter(id, died, letter, retention)
  redis.call('ZADD', DEAD_TASKS, died, id)
  redis.call('HSET', DEAD_LETTERS, id, letter)
  local old = redis.call('ZRANGEBYSCORE', DEAD_TASKS, '-inf', now - retention, 'LIMIT', 0, LETTERS_FORGOTTEN)
  if #old > 0 then
    redis.call('ZREM', DEAD_TASKS, unpack(old))
    redis.call('HDEL', DEAD_LETTERS, unpack(old))
  end
end

-- Removes a dead letter; answers whether there was one.
local function remove_dead_letter(id)
  redis.call('HDEL', DEAD_LETTERS, id)
  return redis.call('ZREM', DEAD_TASKS, id) == 1
end
