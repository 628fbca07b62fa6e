-- Reading and writing the records of tasks. A record is read into a table with the fields of the layout's
-- head, and `tail`, the packed values, which most steps never look at.

-- What this script has read ahead, or written: false where there is no record.
local known = {}

-- Where a value of the tail begins, which itself begins at the offset: its length comes first. Nil: the bytes
-- are too short to have it.
local function value_offset(bytes, value, offset)
  for _ = 2, value do
    if offset + LENGTH_WIDTH - 1 > #bytes then return nil end
    offset = offset + LENGTH_WIDTH + struct.unpack(LENGTH_FORMAT, bytes, offset)
  end
  return offset
end

local AFTER_ALL_VALUES = TAIL_VALUES + 1
local function is_record(bytes)
  if #bytes < TAIL_OFFSET then return false end
  if not STATES[bytes:sub(STATE_OFFSET, STATE_OFFSET)] then return false end
  if bytes:byte(PRIORITY_OFFSET) > LOWEST_PRIORITY then return false end
  return value_offset(bytes, AFTER_ALL_VALUES, TAIL_OFFSET) == #bytes + 1
end

-- Reads the records of many tasks with one command. Answers their keys.
local function read_all(ids)
  local keys = {}
  local prefix = task_key('')
  for i, id in ipairs(ids) do keys[i] = prefix .. id end
  local count = 0
  slices(keys, function(...)
    for _, bytes in ipairs(redis.call('MGET', ...)) do
      count = count + 1
      known[ids[count]] = bytes
    end
  end)
  return keys
end

-- The same with the ids in one string. Answers them as a list, and their keys.
local function read_ahead(all)
  local ids = pieces(all, ENTRY_ID_WIDTH)
  return ids, read_all(ids)
end

-- From now on the task is unknown.
local function set_record_aside(id)
  set_key_aside('t', id, task_key(id))
  known[id] = false
end

-- The record, or nil: there is none, or it was none and is set aside.
local function read(id)
  local bytes = known[id]
  -- An error: the value is no string. Read with others, it looks as if there were none.
  if bytes == nil then bytes = redis.pcall('GET', task_key(id)) end
  if bytes == false and redis.call('EXISTS', task_key(id)) == 0 then return nil end
  if type(bytes) ~= 'string' or not is_record(bytes) then
    set_record_aside(id)
    return nil
  end
  return unpack_record(bytes)
end

-- Options are those of SET; without any, the record stays for good.
local function put(id, bytes, ...)
  known[id] = bytes
  redis.call('SET', task_key(id), bytes, ...)
end

local function write(id, record, ...) put(id, pack_record(record), ...) end

-- Puts a record that stays for good once `put_all` is called, with one command for many.
local together = {}
local function put_together(id, key, bytes)
  known[id] = bytes
  local count = #together
  together[count + 1] = key
  together[count + 2] = bytes
end

local function put_all()
  slices(together, function(...) redis.call('MSET', ...) end)
  together = {}
end

-- The record of a task that waits on its queue and has not run yet. Takes a table of what is known of it.
local function fresh(task)
  return {
    state = QUEUED,
    cancel_asked = false,
    awaited = false,
    has_key = task.unique_key ~= '',
    has_progress = false,
    priority = tonumber(task.priority),
    generation = tonumber(task.generation),
    attempt = tonumber(task.attempt),
    crashes = 0,
    enqueued = tonumber(task.enqueued),
    expires = tonumber(task.expires),
    started = 0,
    finished = 0,
    due = 0,
    token = 0,
    ticket = 0,
    worker = WORKER_NONE,
    tail = pack_tail({
      kind = task.kind,
      whose = task.whose,
      unique_key = task.unique_key,
      progress = '',
      result = '',
      failure = '',
    }),
  }
end

-- The queue of a user's own that a record's values name, or nil.
local PART = '\30'
local function own_queue(tail)
  -- Most have not even two such characters.
  local first = tail:find(PART, 1, true)
  if not first or not tail:find(PART, first + 1, true) then return nil end
  return unpack_tail(tail).whose:match('^[^\30]*\30[^\30]*\30(.+)$')
end

-- What a record's second value says once the task waits on the queue that is written so, or '' where it is
-- the own queue of its priority.
local function whose_on(before, own)
  local tenant, token = before:match('^([^\30]*)\30?([^\30]*)')
  if own ~= '' then return tenant .. PART .. token .. PART .. own end
  return token == '' and tenant or tenant .. PART .. token
end

-- Where a task waits: see `parts/queues.lua` of the broker.
local function queue_of(record) return own_queue(record.tail) or record.priority end

-- The same of a record as it is packed.
local function queue_in(bytes) return own_queue(sub(bytes, TAIL_OFFSET)) or bytes:byte(PRIORITY_OFFSET) end

local function unique_key_of(record) return record.has_key and unpack_tail(record.tail).unique_key or nil end

-- What became of the task: progress, result and failure; nil leaves a value as it is.
local function tell(record, news)
  local values = unpack_tail(record.tail)
  values.progress = news.progress or values.progress
  values.result = news.result or values.result
  values.failure = news.failure or values.failure
  record.has_progress = values.progress ~= ''
  record.tail = pack_tail(values)
end

-- No worker runs it any more.
local function let_go(record)
  record.worker = WORKER_NONE
  record.ticket = 0
  record.token = 0
  if record.has_progress then tell(record, { progress = '' }) end
end

-- A task that waits on a queue is forgotten some time after it has expired; the queue's own expiry comes long
-- before.
local function write_queued(id, record, margin)
  local forgotten = math.max(record.expires, now) + margin
  write(id, record, 'PXAT', forgotten)
  if record.has_key then redis.call('PEXPIREAT', holder_key(unique_key_of(record)), forgotten) end
end

local function write_kept(id, record)
  write(id, record)
  if record.has_key then redis.call('PERSIST', holder_key(unique_key_of(record))) end
end
