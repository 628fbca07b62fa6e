-- ARGV: id. Answers the record's fields; its end will be announced when it is still to come.
local fields = redis.call('HGETALL', task(ARGV[1]))
if #fields > 0 and not FINAL[redis.call('HGET', task(ARGV[1]), 's')] then
  redis.call('HSET', task(ARGV[1]), 'o', '1')
end
return fields
