-- ARGV: worker, what it says of itself, lease, then id and text of each piece of news.
-- Answers whether to drain, its orders, and the paused queues. A question is one of them, with its task's priority at the
-- end; where its claim has ended or passed on, nobody need answer it any more.
local me = ARGV[1]
local beaten = redis.pcall('HSET', worker(me), 'i', ARGV[2], 'l', now + ARGV[3], 'y', now)
if type(beaten) == 'table' and beaten.err:find('WRONGTYPE') then
  move_aside('w', me, worker(me))
  beaten = redis.call('HSET', worker(me), 'i', ARGV[2], 'l', now + ARGV[3], 'y', now)
end
if type(beaten) == 'table' then return beaten end
redis.call('HSET', worker(me), 'n', natural(redis.call('HGET', worker(me), 'n')) + 1)
redis.call('SADD', WORKERS, me)
for i = 4, #ARGV, 2 do
  local r = read(ARGV[i])
  if r and r.w == me then
    tell(r, ARGV[i + 1])
    write(ARGV[i], r, 'KEEPTTL')
  end
end
local key = base .. ':o:' .. me
local function is_open(question)
  local id = question:sub(2, 17)
  local r = #question == 25 and read(id)
  if r and r.s == 'R' and r.w == me and r.t == struct.unpack('>I8', question, 18) then return question .. string.char(r.p) end
end
-- An error: it is no list.
local found, orders = redis.pcall('LRANGE', key, 0, -1), {}
for _, o in ipairs(found) do
  if o:sub(1, 1) == 'q' then o = is_open(o) end
  if o then orders[#orders + 1] = o end
end
if #found > 0 or found.err then redis.call('DEL', key) end
return { redis.call('HEXISTS', worker(me), 'D'), orders, redis.call('SMEMBERS', PAUSED) }
