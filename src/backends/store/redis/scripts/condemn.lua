-- ARGV: how long dead letters are kept, then of each letter: id, generation, kind, priority, whose, enqueued, attempt,
-- letter, time of death, failure.
local retention = tonumber(ARGV[1])
for i = 2, #ARGV, 10 do
  local id, g, kind, p, whose, enqueued, attempt, letter, died, failure = unpack(ARGV, i, i + 9)
  local r = read(id)
  if not r and redis.call('EXISTS', withdrawn(id)) == 0 then
    r = fresh(kind, whose, '', p, g, attempt, enqueued, 0)
    count('e', tonumber(p))
  end
  if r and not FINAL[r.s] and r.s ~= 'R' and r.g <= tonumber(g) then
    leave(entry(id, r.g))
    bury(id, died, letter, retention)
    r.g = tonumber(g)
    finish(id, r, 'D', retention, nil, failure)
  end
end
count_up()
