-- ARGV: where Redis's own walk stands, keys to look at, a pattern of the records' keys. Answers where it goes on, and of each
-- task that is not over: id, state, priority, generation, attempt, enqueued, worker, token, and whether the schedule set has
-- it.
local prefix = #task('')
local step = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[3], 'COUNT', ARGV[2])
local answer = {}
for _, key in ipairs(step[2]) do
  local id = key:sub(prefix + 1)
  local state = redis.pcall('GETRANGE', key, 0, 0)
  local r = #id == 16 and not FINAL[state] and read(id)
  if r then
    local e = entry(id, r.g)
    -- An entry without a message is none.
    local waits = redis.call('ZSCORE', SCHEDULE, e) and redis.call('HSTRLEN', SCHEDULED, e) >= 17 and 1 or 0
    answer[#answer + 1] = { id, r.s, r.p, r.g, r.a, r.e, r.w, r.t, waits }
  end
end
return { step[1], answer }
