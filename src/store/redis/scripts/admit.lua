-- ARGV: margin, then of each task: id, generation, kind, priority, tenant, unique key, enqueued, expires, due ('' for
-- now), message ('' for now). Answers for each the id of the task that is there already, or ''.
local margin = tonumber(ARGV[1])
local answer = {}

local function existing(id, key)
  if redis.call('EXISTS', task(id)) == 1 then return id end
  local other = key ~= '' and redis.call('GET', unique(key))
  local state = other and redis.call('HGET', task(other), 's')
  return state and not FINAL[state] and other or ''
end

local function add(id, g, kind, p, tenant, key, enqueued, expires, at, message)
  local fields = { 'k', kind, 'p', p, 's', at == '' and 'Q' or 'S', 'g', g, 'a', 0, 'e', enqueued, 'x', expires }
  local function field(name, value)
    if value ~= '' then
      fields[#fields + 1] = name
      fields[#fields + 1] = value
    end
  end
  field('n', tenant)
  field('u', key)
  field('d', at)
  redis.call('HSET', task(id), unpack(fields))
  if key ~= '' then redis.call('SET', unique(key), id) end
  if at == '' then
    forget_at(id, key ~= '' and key, tonumber(expires), margin)
  else
    enter(entry(id, g), at, message)
  end
  count('e', tonumber(p))
end

for i = 2, #ARGV, 10 do
  local there = existing(ARGV[i], ARGV[i + 5])
  answer[#answer + 1] = there
  if there == '' then add(unpack(ARGV, i, i + 9)) end
end
announce()
count_up()
return answer
