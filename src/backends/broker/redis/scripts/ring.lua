-- ARGV: queue, its priorities. For a consumer that took the token and will not fetch.
ring(ARGV[1], ARGV[2])
