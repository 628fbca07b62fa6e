-- ARGV: limit, then letter and name of what somebody was told of. Answers the same of what nobody was.
for i = 2, #ARGV do redis.call('LREM', ASIDE, 0, ARGV[i]) end
return redis.call('LRANGE', ASIDE, 0, ARGV[1] - 1)
