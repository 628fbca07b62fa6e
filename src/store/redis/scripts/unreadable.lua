-- ARGV: limit, then ids that somebody was told of. Answers ids of those that nobody was.
for i = 2, #ARGV do redis.call('LREM', ASIDE, 0, ARGV[i]) end
return redis.call('LRANGE', ASIDE, 0, ARGV[1] - 1)
