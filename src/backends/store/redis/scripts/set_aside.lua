-- Sets aside what cannot be read, unless it has changed meanwhile.
-- ARGV: a code for what it is, its name, and the bytes that could not be read ('': none, or not known).
local what = ARGV[1]
local name = ARGV[2]
local seen = ARGV[3]
local steps = {}

-- A record.
function steps.t()
  local value = redis.pcall('GET', task_key(name))
  if type(value) == 'table' or value == seen then set_record_aside(name) end
end

-- An entry of the schedule set.
function steps.s()
  local value = redis.call('HGET', SCHEDULED_MESSAGES, name)
  local is_listed = redis.call('ZSCORE', SCHEDULE, name)
  if is_listed and not priority_of(name, value) then set_entry_aside(name, value) end
end

-- A dead letter.
function steps.d()
  local value = redis.call('HGET', DEAD_LETTERS, name) or ''
  if value ~= seen then return end
  local was_listed = redis.call('ZREM', DEAD_TASKS, name) == 1
  local was_kept = redis.call('HDEL', DEAD_LETTERS, name) == 1
  if was_listed or was_kept then set_value_aside('d', name, value) end
end

-- A journal, or after a colon the place of one of its entries.
function steps.j()
  local topic, place = name:match('^(%a+):(.*)$')
  if not topic then return set_key_aside('j', name, journal_key(name)) end
  local row = redis.call('XRANGE', journal_key(topic), place, place)[1]
  if row and redis.call('XDEL', journal_key(topic), place) == 1 then
    set_value_aside('j', name, table.concat(row[2], ' '))
  end
end

-- A note.
function steps.n()
  if type(redis.pcall('GET', note_key(name))) == 'table' then set_key_aside('n', name, note_key(name)) end
end

-- A heartbeat: the next one of a worker that lives makes it readable.
function steps.w()
  if lease_left(name) > 0 then return end
  if redis.call('SREM', WORKERS, name) == 1 then set_key_aside('w', name, worker_key(name)) end
end

steps[what]()
