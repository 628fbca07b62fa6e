-- ARGV: prefix. Answers name and value of each; forgets the names whose notes are gone.
local answer = {}
for _, name in ipairs(redis.call('ZRANGEBYLEX', NOTES, '[' .. ARGV[1], '(' .. ARGV[1] .. '\255')) do
  local value = redis.pcall('GET', note(name))
  if type(value) == 'string' then
    answer[#answer + 1] = { name, value }
  else
    -- An error: it is no string.
    if value then move_aside('n', name, note(name)) end
    redis.call('ZREM', NOTES, name)
  end
end
return answer
