-- ARGV: worker, limit. Takes what has expired at the head of each list.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local worker, left, answer = ARGV[1], tonumber(ARGV[2]), {}
for digit = 0, 6 do
  local n, entries = tostring(digit), {}
  while #entries < left do
    local head = redis.call('LINDEX', waiting(n), -1)
    local value = head and redis.call('HGET', bodies(n), head)
    if not head then break end
    if not is_message(n, head, value) then
      set_aside(n, redis.call('RPOP', waiting(n)), value)
    elseif struct.unpack('>I8', value, 10) > now then
      break
    else
      entries[#entries + 1] = redis.call('RPOP', waiting(n))
    end
  end
  if #entries > 0 then
    left = left - #entries
    take(n, worker, entries)
    tell(answer, n, entries)
  end
end
return answer
