-- What was set aside and not told of yet.
-- ARGV: limit; then code and name, in one string, of each item that was told of by now.
-- Answers code and name of the others.
local limit = ARGV[1]
for i = 2, #ARGV do redis.call('LREM', SET_ASIDE, 0, ARGV[i]) end
return redis.call('LRANGE', SET_ASIDE, 0, limit - 1)
