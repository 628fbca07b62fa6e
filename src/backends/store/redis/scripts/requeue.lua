-- ARGV: of each message: id, generation, kind, priority, whose, unique key, enqueued, expires, attempt, message.
-- Answers how many letters were taken out, and how many stay because another task has their unique key.
local taken, kept = 0, 0
for i = 1, #ARGV, 10 do
  local id, g, kind, p, whose, key, enqueued, expires, attempt, message = unpack(ARGV, i, i + 9)
  if key ~= '' and holder(key) then
    if redis.call('ZSCORE', DEAD, id) then kept = kept + 1 end
  elseif dig_up(id) then
    taken = taken + 1
    if key ~= '' then redis.call('SET', unique(key), id) end
    local r = fresh(kind, whose, key, p, g, attempt, enqueued, expires)
    r.s, r.d = 'S', now
    write(id, r)
    enter(entry(id, g), now, message)
  end
end
announce()
return { taken, kept }
