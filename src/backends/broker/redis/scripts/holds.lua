-- Compares what a worker holds with what it knows of.
-- ARGV: worker; then of each priority: its digit, and how many entries the worker knows of (-1: it wants to
-- see them).
-- Answers of each priority of which the worker holds another number: its digit, and the entries.
local worker = ARGV[1]
local answer = {}
for i = 2, #ARGV, 2 do
  local priority = ARGV[i]
  local held = held_key(priority, worker)
  if redis.call('SCARD', held) ~= tonumber(ARGV[i + 1]) then
    answer[#answer + 1] = { priority, redis.call('SMEMBERS', held) }
  end
end
return answer
