-- ARGV: workers. Answers of each 1 while its lease has not ended, else 0.
local answer = {}
for i, worker in ipairs(ARGV) do
  answer[i] = lease_left(worker) > 0 and 1 or 0
end
return answer
