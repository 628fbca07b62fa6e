-- ARGV: worker, priority, queue, the queue's priorities, all entries in one string. The first ends up at the very front.
local back = part(ARGV[2], ARGV[1], list(ARGV[5]))
if #back > 0 then put_first(ARGV[2], back) end
ring(ARGV[3], ARGV[4])
return #back
