-- ARGV: of each message: id, generation, kind, priority, tenant, unique key, enqueued, expires, attempt, message.
local taken = 0
for i = 1, #ARGV, 10 do
  local id, g, kind, p, tenant, key, enqueued, expires, attempt, message = unpack(ARGV, i, i + 9)
  if dig_up(id) then
    taken = taken + 1
    redis.call('HDEL', task(id), 'f', 'F', 'r', 'b')
    redis.call('HSET', task(id), 'k', kind, 'p', p, 's', 'S', 'g', g, 'a', attempt, 'c', 0, 'e', enqueued, 'x', expires,
      'd', now)
    if tenant ~= '' then redis.call('HSET', task(id), 'n', tenant) end
    if key ~= '' and redis.call('SET', unique(key), id, 'NX') then redis.call('HSET', task(id), 'u', key) end
    redis.call('PERSIST', task(id))
    enter(entry(id, g), now, message)
  end
end
announce()
return taken
