-- Hands out what is due. It stays in the schedule set until `promoted` takes it out, so that nothing is lost
-- between; what is no message is set aside.
-- ARGV: role, fence, limit.
-- Answers entries, their messages in the same order, and when the next entry is due (false: none); FENCED
-- where another one leads by now.
local refusal = overtaken(ARGV[1], ARGV[2])
if refusal then return refusal end
local limit = ARGV[3]
local found = redis.call('ZRANGEBYSCORE', SCHEDULE, '-inf', now, 'LIMIT', 0, limit)
local entries = {}
local messages = {}
local marks = {}
if #found > 0 then
  for i, message in ipairs(redis.call('HMGET', SCHEDULED_MESSAGES, unpack(found))) do
    local candidate = found[i]
    if priority_of(candidate, message) then
      entries[#entries + 1] = candidate
      messages[#messages + 1] = message
      marks[#marks + 1] = candidate
      marks[#marks + 1] = '1'
    else
      set_entry_aside(candidate, message)
    end
  end
  slices(marks, function(...) redis.call('HSET', HANDED_OUT, ...) end)
end
local following = redis.call('ZRANGE', SCHEDULE, #entries, #entries, 'WITHSCORES')[2]
return { entries, messages, following and natural(following) or false }
