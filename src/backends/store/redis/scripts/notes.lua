-- Lists notes, and forgets the names whose notes are gone. What is no string is set aside.
-- ARGV: prefix. Answers name and value of each note whose name begins so.
local prefix = ARGV[1]
local answer = {}
for _, name in ipairs(redis.call('ZRANGEBYLEX', NOTES, '[' .. prefix, '(' .. prefix .. '\255')) do
  local value = redis.pcall('GET', note_key(name))
  if type(value) == 'string' then
    answer[#answer + 1] = { name, value }
  else
    -- An error: it is no string.
    if value then set_key_aside('n', name, note_key(name)) end
    redis.call('ZREM', NOTES, name)
  end
end
return answer
