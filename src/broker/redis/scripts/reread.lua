-- ARGV: worker, priorities. Answers everything the worker holds, most urgent and oldest first.
local answer = {}
for n in ARGV[2]:gmatch('%d') do
  local entries = redis.call('LRANGE', flight(n, ARGV[1]), 0, -1)
  local oldest = {}
  for i = #entries, 1, -1 do oldest[#oldest + 1] = entries[i] end
  slices(oldest, function(...) tell(answer, n, { ... }) end)
end
return answer
