-- ARGV: worker. Its orders stay for a while, for the case that it only slept.
redis.call('SREM', WORKERS, ARGV[1])
redis.call('DEL', worker(ARGV[1]), claims(ARGV[1]))
