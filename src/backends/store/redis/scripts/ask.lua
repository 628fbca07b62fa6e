-- ARGV: of each question: worker, task, token.
for i = 1, #ARGV, 3 do
  local key = questions(ARGV[i])
  redis.call('RPUSH', key, ARGV[i + 1] .. struct.pack('>I8', ARGV[i + 2]))
  redis.call('PEXPIRE', key, ORDERS_KEPT)
end
