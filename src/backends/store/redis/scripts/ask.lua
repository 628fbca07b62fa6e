-- Asks workers whether they run tasks with these tokens; each answers at its next beat.
-- ARGV: worker, task and token of each question.
for i = 1, #ARGV, 3 do
  local key = questions_key(ARGV[i])
  redis.call('RPUSH', key, ARGV[i + 1] .. struct.pack(TOKEN_FORMAT, ARGV[i + 2]))
  redis.call('PEXPIRE', key, ORDERS_KEPT)
end
