-- Rings for a consumer that took the token and will not fetch.
-- ARGV: queue, its priorities.
ring(ARGV[1], ARGV[2])
