-- Messages are done with: they are forgotten, apart from those that were published again while the worker
-- held them, which wait anew.
-- ARGV: worker, queue, all entries in one string.
-- Answers how many of them the worker held.
local queue = queue_named(ARGV[2])
local gone = take_away(queue, ARGV[1], pieces(ARGV[3], ENTRY_WIDTH))
if #gone == 0 then return 0 end

if forget_messages(queue, gone) then ring(queue) end
return #gone
