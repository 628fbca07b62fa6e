-- Throws dead letters away; their tasks' records stay as long as they would.
-- ARGV: ids. Answers how many letters there were.
slices(ARGV, function(...) redis.call('HDEL', DEAD_LETTERS, ...) end)
local gone = 0
slices(ARGV, function(...) gone = gone + redis.call('ZREM', DEAD_TASKS, ...) end)
return gone
