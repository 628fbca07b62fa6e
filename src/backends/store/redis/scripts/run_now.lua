-- ARGV: entry, or an id whose current generation is meant. Answers whether there is such an entry.
local e = ARGV[1]
local id = e:sub(1, 16)
local r = read(id)
if #e == 16 then
  if not r then return 0 end
  e = entry(id, r.g)
end
local message = redis.call('HGET', SCHEDULED, e)
if not message then return 0 end
enter(e, now, message)
if r and r.s == 'S' then
  r.d = now
  write(id, r, 'KEEPTTL')
end
announce()
return 1
