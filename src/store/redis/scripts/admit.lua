-- ARGV: margin, then of each task: id, generation, kind, priority, tenant, unique key, enqueued, expires, due ('' for
-- now), message ('' for now). Answers for each the id of the task that is there already, or ''.
local margin = tonumber(ARGV[1])
local answer = {}

local function existing(id, key)
  if redis.call('EXISTS', task(id)) == 1 then return id end
  local other = key ~= '' and redis.call('GET', unique(key))
  local state = other and redis.call('GETRANGE', task(other), 0, 0)
  return state and state ~= '' and not FINAL[state] and other or ''
end

local function add(id, g, kind, p, tenant, key, enqueued, expires, at, message)
  local r = fresh(kind, tenant, key, p, g, 0, enqueued, expires)
  if key ~= '' then redis.call('SET', unique(key), id) end
  if at == '' then
    write_queued(id, r, margin)
  else
    r.s, r.d = 'S', tonumber(at)
    write(id, r)
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
