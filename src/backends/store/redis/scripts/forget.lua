-- Forgets a worker. Its orders stay for a while, for the case that it only slept.
-- ARGV: worker.
local worker = ARGV[1]
redis.call('SREM', WORKERS, worker)
redis.call('DEL', worker_key(worker), claims_key(worker))
