-- ARGV: how long dead letters are kept, then of each letter: id, generation, kind, priority, tenant, enqueued, attempt,
-- letter, time of death, failure.
local retention = tonumber(ARGV[1])
for i = 2, #ARGV, 10 do
  local id, g, kind, p, tenant, enqueued, attempt, letter, died, failure = unpack(ARGV, i, i + 9)
  local r = read(id)
  if not r then
    redis.call('HSET', task(id), 'k', kind, 'p', p, 'g', g, 'a', attempt, 'e', enqueued)
    if tenant ~= '' then redis.call('HSET', task(id), 'n', tenant) end
    count('e', tonumber(p))
    r = { s = 'Q', g = tonumber(g), p = tonumber(p) }
  end
  if not FINAL[r.s] and r.s ~= 'R' and r.g <= tonumber(g) then
    leave(entry(id, r.g))
    bury(id, died, letter, retention)
    finish(id, r, 'D', retention, 'F', failure, 'g', g)
  end
end
count_up()
