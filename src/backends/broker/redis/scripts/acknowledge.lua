-- Messages are done with: they are forgotten, apart from those that were published again while the worker
-- held them, which wait anew.
-- ARGV: worker, priority, queue, the queue's priorities, all entries in one string.
-- Answers how many of them the worker held.
local priority = ARGV[2]
local gone = take_away(priority, ARGV[1], pieces(ARGV[5], ENTRY_WIDTH))
if #gone == 0 then return 0 end

if forget_messages(priority, gone) then ring(ARGV[3], ARGV[4]) end
return #gone
