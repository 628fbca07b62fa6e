-- ARGV: worker, how many, queue, its priorities. Answers what was taken, most urgent and oldest first.
local worker, left, queue, priorities = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local answer = {}
for n in priorities:gmatch('%d') do
  local entries, values = pull(n, left)
  if #entries > 0 then
    left = left - #entries
    take(n, worker, entries)
    answer[#answer + 1] = { entries, values }
  end
end
ring(queue, priorities)
return answer
