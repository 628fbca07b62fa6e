-- ARGV: worker, queue. Answers all that the worker holds of it, the oldest first: lists of entries, each with one
-- of their values in the same order.
local queue = queue_named(ARGV[2])
local answer = {}
slices(all_held(queue, ARGV[1]), function(...) add_messages(answer, queue, { ... }) end)
return answer
