-- ARGV: priorities. Answers how many wait, and when the oldest head was enqueued (false when none waits).
local count, oldest = 0, false
for n in ARGV[1]:gmatch('%d') do
  count = count + redis.call('LLEN', waiting(n))
  local head = redis.call('LINDEX', waiting(n), -1)
  local value = head and redis.call('HGET', bodies(n), head)
  local at = head and is_message(n, head, value) and struct.unpack('>I8', value, 2)
  if at and (not oldest or at < oldest) then oldest = at end
end
return { count, oldest }
