-- ARGV: ids. Answers how many letters there were.
slices(ARGV, function(...) redis.call('HDEL', LETTERS, ...) end)
local gone = 0
slices(ARGV, function(...) gone = gone + redis.call('ZREM', DEAD, ...) end)
return gone
