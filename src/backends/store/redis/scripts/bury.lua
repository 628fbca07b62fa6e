-- ARGV: the task that is to start alone, or '', and in one string of each task of a dead worker: id, token, crashes,
-- suspicion, and when it may start again. What is held for the dead worker comes back then.
local list, at = ARGV[2], 1
while at <= #list do
  local id, token, crashes, suspicion, due, following = struct.unpack('>c16I8I4I4I8', list, at)
  local r = read(id)
  if r and r.s == 'R' and r.t == token and not buried(r) then
    r.c, r.d = crashes, math.max(due, r.b + 1)
    write(id, r)
    redis.call('SET', suspected(id), suspicion, 'PX', SUSPICION_KEPT)
    local e = entry(id, r.g)
    local planned, message = redis.call('ZSCORE', SCHEDULE, e), redis.call('HGET', SCHEDULED, e)
    if planned and message and tonumber(planned) > r.d then enter(e, r.d, message) end
  end
  at = following
end
announce()
if ARGV[1] ~= '' then redis.call('SET', base .. ':alone', ARGV[1], 'PX', 750) end
