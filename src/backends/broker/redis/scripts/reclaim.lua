-- ARGV: worker, then queue and priorities of each queue. Puts all the worker held to the front, the oldest first.
local count = 0
for i = 2, #ARGV, 2 do
  for n in ARGV[i + 1]:gmatch('%d') do
    local entries = all(n, ARGV[1])
    put_first(n, entries)
    redis.call('DEL', flight(n, ARGV[1]))
    count = count + #entries
  end
  ring(ARGV[i], ARGV[i + 1])
end
return count
