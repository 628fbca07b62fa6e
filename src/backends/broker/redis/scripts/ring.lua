-- Rings for a consumer that took the token and will not fetch.
-- ARGV: queue.
ring(queue_named(ARGV[1]))
