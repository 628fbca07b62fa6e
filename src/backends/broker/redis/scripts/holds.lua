-- ARGV: worker, then a priority and how many of its entries the worker knows of, for each; -1: it wants to see them.
-- Answers the entries of each priority of which the worker holds another number.
local worker, answer = ARGV[1], {}
for i = 2, #ARGV, 2 do
  local n = ARGV[i]
  if redis.call('SCARD', flight(n, worker)) ~= tonumber(ARGV[i + 1]) then
    answer[#answer + 1] = { n, redis.call('SMEMBERS', flight(n, worker)) }
  end
end
return answer
