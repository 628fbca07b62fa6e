-- A page of the schedule set (earliest first) or of the dead letters (latest first).
-- ARGV: 'schedule' or 'dead'; limit; score and member after which to begin, or '' and ''.
-- Answers member, score and value of each row. Where that member is gone, it begins with the rows of the same
-- score. The value is a dead letter, or of a message its packed priority, and its queue where that is a
-- user's own; '' where there is none.
local is_dead = ARGV[1] == 'dead'
local limit = ARGV[2]
local after_score = ARGV[3]
local after_member = ARGV[4]
local set = is_dead and DEAD_TASKS or SCHEDULE
local values = is_dead and DEAD_LETTERS or SCHEDULED_MESSAGES

local function start()
  if after_score == '' then return 0 end
  local rank = redis.call(is_dead and 'ZREVRANK' or 'ZRANK', set, after_member)
  if rank then return rank + 1 end
  if is_dead then return redis.call('ZCOUNT', set, '(' .. after_score, '+inf') end
  return redis.call('ZCOUNT', set, '-inf', '(' .. after_score)
end

local function shown(member, value)
  if is_dead then return value or '' end
  local priority = priority_of(member, value)
  if not priority then return '' end
  local record = read(id_of(member))
  return struct.pack(MESSAGE_PRIORITY_FORMAT, priority) .. (record and own_queue(record.tail) or '')
end

local first = start()
local rows = redis.call(is_dead and 'ZREVRANGE' or 'ZRANGE', set, first, first + limit - 1, 'WITHSCORES')
local answer = {}
for i = 1, #rows, 2 do
  local member = rows[i]
  answer[#answer + 1] = { member, natural(rows[i + 1]), shown(member, redis.call('HGET', values, member)) }
end
return answer
