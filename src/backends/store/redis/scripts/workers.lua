-- ARGV: none. Answers of each worker: its id, what it says of itself, its beats, the latest of them, and 1
-- while its lease has not ended. What is no worker's hash is set aside.
local answer = {}
for _, worker in ipairs(redis.call('SMEMBERS', WORKERS)) do
  local key = worker_key(worker)
  local fields = redis.pcall('HMGET', key, 'i', 'n', 'y', 'l')
  if fields.err then
    redis.call('SREM', WORKERS, worker)
    set_key_aside('w', worker, key)
  elseif not fields[1] and redis.call('EXISTS', key) == 0 then
    -- Nothing is left of it. If it lives, its next beat registers it.
    redis.call('SREM', WORKERS, worker)
  else
    local said, beats, beaten, lease = unpack(fields)
    local is_alive = natural(lease) > now and 1 or 0
    -- One that was marked and never said anything has not beaten.
    if not said then beats, beaten = 0, 0 end
    answer[#answer + 1] = { worker, said or '', natural(beats), natural(beaten), is_alive }
  end
end
return answer
