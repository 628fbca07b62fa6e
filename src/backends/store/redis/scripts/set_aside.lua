-- ARGV: a letter for what it is, its name, the bytes that could not be read ('': none, or not known). Unless it has
-- changed meanwhile.
local what, name, seen = ARGV[1], ARGV[2], ARGV[3]
local steps = {}

function steps.t()
  local v = redis.pcall('GET', task(name))
  if type(v) == 'table' or v == seen then set_aside(name) end
end

function steps.s()
  local v = redis.call('HGET', SCHEDULED, name)
  if redis.call('ZSCORE', SCHEDULE, name) and not is_message(name, v) then set_entry_aside(name, v) end
end

function steps.d()
  local v = redis.call('HGET', LETTERS, name) or ''
  if v ~= seen then return end
  local listed = redis.call('ZREM', DEAD, name) == 1
  if redis.call('HDEL', LETTERS, name) == 1 or listed then keep_aside('d', name, v) end
end

-- The journal's name, and after a colon the entry's place.
function steps.j()
  local topic, place = name:match('^(%a+):(.*)$')
  if not topic then return move_aside('j', name, journal(name)) end
  local row = redis.call('XRANGE', journal(topic), place, place)[1]
  if row and redis.call('XDEL', journal(topic), place) == 1 then keep_aside('j', name, table.concat(row[2], ' ')) end
end

function steps.n()
  if type(redis.pcall('GET', note(name))) == 'table' then move_aside('n', name, note(name)) end
end

-- The next beat of a worker that lives makes it readable.
function steps.w()
  if lease_left(name) > 0 then return end
  if redis.call('SREM', WORKERS, name) == 1 then move_aside('w', name, worker(name)) end
end

steps[what]()
