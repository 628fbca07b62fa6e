-- ARGV: workers. Answers of each 1 while its lease has not ended.
local answer = {}
for i, owner in ipairs(ARGV) do answer[i] = lease_left(owner) > 0 and 1 or 0 end
return answer
