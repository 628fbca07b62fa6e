-- Answers of each worker: its id, what it says of itself, its beats, the last of them, and 1 while its lease has not ended.
local answer = {}
for _, id in ipairs(redis.call('SMEMBERS', WORKERS)) do
  local v = redis.pcall('HMGET', worker(id), 'i', 'n', 'y', 'l')
  if v.err then
    redis.call('SREM', WORKERS, id)
    move_aside('w', id, worker(id))
  elseif v[1] then
    answer[#answer + 1] = { id, v[1], natural(v[2]), natural(v[3]), natural(v[4]) > now and 1 or 0 }
  elseif redis.call('EXISTS', worker(id)) == 0 then
    -- Nothing is left of it. If it lives, its next beat registers it.
    redis.call('SREM', WORKERS, id)
  else
    answer[#answer + 1] = { id, '', 0, 0, natural(v[4]) > now and 1 or 0 }
  end
end
return answer
