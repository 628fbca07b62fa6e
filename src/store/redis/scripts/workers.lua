-- Answers of each worker: what it says of itself, its beats, the last of them, and 1 while its lease has not ended.
local answer = {}
for _, id in ipairs(redis.call('SMEMBERS', WORKERS)) do
  local v = redis.call('HMGET', worker(id), 'i', 'n', 'y', 'l')
  answer[#answer + 1] = { v[1], tonumber(v[2]), tonumber(v[3]), tonumber(v[4]) > now and 1 or 0 }
end
return answer
