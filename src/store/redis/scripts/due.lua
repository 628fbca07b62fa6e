-- ARGV: role, fence, limit. Answers entries, messages, and when the next entry is due.
local refusal = overtaken(ARGV[1], ARGV[2])
if refusal then return refusal end
local entries = redis.call('ZRANGEBYSCORE', SCHEDULE, '-inf', now, 'LIMIT', 0, ARGV[3])
local messages = {}
if #entries > 0 then
  messages = redis.call('HMGET', SCHEDULED, unpack(entries))
  local marks = {}
  for _, e in ipairs(entries) do
    marks[#marks + 1] = e
    marks[#marks + 1] = '1'
  end
  slices(marks, function(...) redis.call('HSET', HANDED, ...) end)
end
local following = redis.call('ZRANGE', SCHEDULE, #entries, #entries, 'WITHSCORES')[2]
return { entries, messages, following and tonumber(following) or false }
