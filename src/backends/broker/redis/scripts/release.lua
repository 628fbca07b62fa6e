-- Gives messages back to the front of their queue; the first ends up at the very front.
-- ARGV: worker, priority, queue, the queue's priorities, all entries in one string.
-- Answers how many of them the worker held.
local priority = ARGV[2]
local back = take_away(priority, ARGV[1], pieces(ARGV[5], ENTRY_WIDTH))
if #back > 0 then put_first(priority, back) end
ring(ARGV[3], ARGV[4])
return #back
