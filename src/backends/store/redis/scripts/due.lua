-- ARGV: role, fence, limit. Answers entries, messages, and when the next entry is due.
local refusal = overtaken(ARGV[1], ARGV[2])
if refusal then return refusal end
local found = redis.call('ZRANGEBYSCORE', SCHEDULE, '-inf', now, 'LIMIT', 0, ARGV[3])
local entries, messages, marks = {}, {}, {}
if #found > 0 then
  for i, value in ipairs(redis.call('HMGET', SCHEDULED, unpack(found))) do
    local e = found[i]
    if is_message(e, value) then
      entries[#entries + 1], messages[#messages + 1] = e, value
      marks[#marks + 1] = e
      marks[#marks + 1] = '1'
    else
      set_entry_aside(e, value)
    end
  end
  slices(marks, function(...) redis.call('HSET', HANDED, ...) end)
end
local following = redis.call('ZRANGE', SCHEDULE, #entries, #entries, 'WITHSCORES')[2]
return { entries, messages, following and natural(following) or false }
