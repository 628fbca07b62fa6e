-- What was set aside and nobody was told of.
-- ARGV: limit; then letter and name, in one string, of each thing of which somebody was told by now.
-- Answers letter and name of the others.
local limit = ARGV[1]
for i = 2, #ARGV do redis.call('LREM', SET_ASIDE, 0, ARGV[i]) end
return redis.call('LRANGE', SET_ASIDE, 0, limit - 1)
