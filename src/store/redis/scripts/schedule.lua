-- ARGV: of each message: entry, due, message.
for i = 1, #ARGV, 3 do enter(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
announce()
