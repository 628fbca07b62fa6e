-- ARGV: prefix. Answers name and value of each; forgets the names whose notes are gone.
local answer = {}
for _, name in ipairs(redis.call('ZRANGEBYLEX', NOTES, '[' .. ARGV[1], '(' .. ARGV[1] .. '\255')) do
  local value = redis.call('GET', note(name))
  if value then
    answer[#answer + 1] = { name, value }
  else
    redis.call('ZREM', NOTES, name)
  end
end
return answer
