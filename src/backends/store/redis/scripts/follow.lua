-- What journals got after a place.
-- ARGV: how many entries of each at most; then topic, and after which place or '', of each.
-- Answers of each topic: its length, its first and its last place ('' where there is none), and the entries
-- after the place, as the server has them. A value of another type is an empty journal, until one is written.
local limit = ARGV[1]

local function end_of(command, key, from, to)
  local row = redis.call(command, key, from, to, 'COUNT', 1)[1]
  return row and row[1] or ''
end

local answer = {}
for i = 2, #ARGV, 2 do
  local key = journal_key(ARGV[i])
  local after = ARGV[i + 1]
  local length = redis.pcall('XLEN', key)
  if type(length) ~= 'number' then
    if not is_wrong_type(length) then return length end
    answer[#answer + 1] = { 0, '', '', {} }
  else
    local rows = after ~= '' and redis.call('XRANGE', key, after, '+', 'COUNT', limit) or {}
    local oldest = end_of('XRANGE', key, '-', '+')
    answer[#answer + 1] = { length, oldest, end_of('XREVRANGE', key, '+', '-'), rows }
  end
end
return answer
