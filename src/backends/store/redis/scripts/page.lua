-- ARGV: 'schedule' or 'dead' (backwards), limit, then where to go on: score and member, or ''. Answers member, score
-- and value of each row, beginning after that place; where its member is gone, at the rows of the same score. Of a message
-- its priority alone, and '' where there is none.
local set, hash, back = SCHEDULE, SCHEDULED, false
if ARGV[1] == 'dead' then set, hash, back = DEAD, LETTERS, true end
local start = 0
if ARGV[3] ~= '' then
  local rank = redis.call(back and 'ZREVRANK' or 'ZRANK', set, ARGV[4])
  if rank then
    start = rank + 1
  elseif back then
    start = redis.call('ZCOUNT', set, '(' .. ARGV[3], '+inf')
  else
    start = redis.call('ZCOUNT', set, '-inf', '(' .. ARGV[3])
  end
end
local rows = redis.call(back and 'ZREVRANGE' or 'ZRANGE', set, start, start + ARGV[2] - 1, 'WITHSCORES')
local answer = {}
for i = 1, #rows, 2 do
  local value = redis.call('HGET', hash, rows[i]) or ''
  if not back then value = is_message(rows[i], value) and value:sub(1, 1) or '' end
  answer[#answer + 1] = { rows[i], natural(rows[i + 1]), value }
end
return answer
