-- ARGV: worker. Its lease ended at the beginning of time; answers what it ran. A stranger stays one.
local me = ARGV[1]
if redis.call('EXISTS', worker(me)) == 1 then redis.call('HSET', worker(me), 'l', '0') end
local running = {}
for _, id in ipairs(redis.call('SMEMBERS', claims(me))) do
  local r = read(id)
  if r and r.s == 'R' and r.w == me then running[#running + 1] = id end
end
return running
