-- ARGV: of each message: id, generation, kind, priority, tenant, unique key, enqueued, expires, attempt, message.
local taken = 0
for i = 1, #ARGV, 10 do
  local id, g, kind, p, tenant, key, enqueued, expires, attempt, message = unpack(ARGV, i, i + 9)
  if dig_up(id) then
    taken = taken + 1
    -- Its unique key is its own again only if nobody has taken it meanwhile.
    local mine = key ~= '' and redis.call('SET', unique(key), id, 'NX')
    local r = fresh(kind, tenant, mine and key or '', p, g, attempt, enqueued, expires)
    r.s, r.d = 'S', now
    write(id, r)
    enter(entry(id, g), now, message)
  end
end
announce()
return taken
