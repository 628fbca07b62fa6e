-- ARGV: worker, priorities. Answers everything the worker holds, most urgent and oldest first.
local answer = {}
for n in ARGV[2]:gmatch('%d') do
  slices(all(n, ARGV[1]), function(...) tell(answer, n, { ... }) end)
end
return answer
