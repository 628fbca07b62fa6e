-- Gives messages back to the front of their queue; the first ends up at the very front.
-- ARGV: worker, queue, all entries in one string.
-- Answers how many of them the worker held.
local queue = queue_named(ARGV[2])
local back = take_away(queue, ARGV[1], pieces(ARGV[3], ENTRY_WIDTH))
if #back > 0 then put_first(queue, back) end
ring(queue)
return #back
