-- A worker's heartbeat: renews its lease, writes the news of its tasks into their records, and takes its
-- orders.
-- ARGV: worker, what it says of itself, lease in milliseconds; then id and text of each piece of news.
-- Answers 1 where it is to drain, its orders, the paused queues, and a number that changes as queues have their
-- first tasks. An order is a code and a task: c
-- cancel, l lost, or q with token, priority (a byte)
-- and, of a user's own, queue at its end: does it run that? A question whose claim
-- has ended is not answered.
local me = ARGV[1]
local said = ARGV[2]
local lease = ARGV[3]

local function beat() return redis.pcall('HSET', worker_key(me), 'i', said, 'l', now + lease, 'y', now) end

local beaten = beat()
if is_wrong_type(beaten) then
  set_key_aside('w', me, worker_key(me))
  beaten = beat()
end
if type(beaten) == 'table' then return beaten end
redis.call('HSET', worker_key(me), 'n', natural(redis.call('HGET', worker_key(me), 'n')) + 1)
redis.call('SADD', WORKERS, me)

for i = 4, #ARGV, 2 do
  local id = ARGV[i]
  local record = read(id)
  if record and record.worker == me then
    tell(record, { progress = ARGV[i + 1] })
    write(id, record, 'KEEPTTL')
  end
end

-- Takes all of a list. An error: it is none.
local function take(key)
  local found = redis.pcall('LRANGE', key, 0, -1)
  if #found > 0 or found.err then redis.call('DEL', key) end
  return found.err and {} or found
end

local orders = take(orders_key(me))
for _, question in ipairs(take(questions_key(me))) do
  local is_question = #question == ENTRY_ID_WIDTH + TOKEN_WIDTH
  local record = is_question and read(question:sub(1, ENTRY_ID_WIDTH))
  if record and is_run_by(record, me) then
    local token = struct.unpack(TOKEN_FORMAT, question, ENTRY_ID_WIDTH + 1)
    if record.token == token then
      orders[#orders + 1] = 'q' .. question .. string.char(record.priority) .. (own_queue(record.tail) or '')
    end
  end
end
return {
  redis.call('HEXISTS', worker_key(me), 'D'),
  orders,
  redis.call('SMEMBERS', PAUSED_QUEUES),
  redis.call('HLEN', TOTALS),
}
