-- ARGV: worker, priorities. Answers all that the worker holds, most urgent and oldest first: lists of
-- entries, each with one of their values in the same order.
local answer = {}
for priority in each_priority(ARGV[2]) do
  slices(all_held(priority, ARGV[1]), function(...) add_messages(answer, priority, { ... }) end)
end
return answer
