-- ARGV: worker, what it says of itself, lease, then id and text of each piece of news.
-- Answers whether to drain, its orders, and the paused queues. A question is an order 'q', with its task's priority at the
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
-- Takes all of a list. An error: it is none.
local function take(key)
  local found = redis.pcall('LRANGE', key, 0, -1)
  if #found > 0 or found.err then redis.call('DEL', key) end
  return found.err and {} or found
end
local orders = take(base .. ':o:' .. me)
for _, question in ipairs(take(questions(me))) do
  local r = #question == 24 and read(question:sub(1, 16))
  if r and r.s == 'R' and r.w == me and r.t == struct.unpack('>I8', question, 17) then
    orders[#orders + 1] = 'q' .. question .. string.char(r.p)
  end
end
return { redis.call('HEXISTS', worker(me), 'D'), orders, redis.call('SMEMBERS', PAUSED) }
