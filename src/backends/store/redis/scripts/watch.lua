-- ARGV: id. Answers the record; its end will be announced when it is still to come.
local r = read(ARGV[1])
if r and not FINAL[r.s] and not r.o then
  r.o = true
  write(ARGV[1], r, 'KEEPTTL')
end
return redis.call('GET', task(ARGV[1]))
