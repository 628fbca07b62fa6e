-- ARGV: id. Somebody repeats a task and answers for it. Answers whether it waits on its queue.
local r = read(ARGV[1])
if not r or r.s ~= 'Q' then return false end
r.q = WANTED
write(ARGV[1], r, 'KEEPTTL')
return true
