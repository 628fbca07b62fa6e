-- Takes what has expired at the head of each list for a worker, and sets aside what is no message.
-- ARGV: worker, limit.
-- Answers of each queue that had some: their entries, and their values in the same order.
local worker = ARGV[1]
local left = tonumber(ARGV[2])

local function pop(queue) return redis.call('RPOP', waiting_key(queue)) end

-- Up to so many expired entries of a list.
local function expired(queue, limit)
  local entries = {}
  while #entries < limit do
    local first, value = head(queue)
    if not first then break end
    if not is_message(queue, first, value) then
      set_message_aside(queue, pop(queue), value)
    else
      local expires = struct.unpack(MESSAGE_EXPIRES_FORMAT, value, MESSAGE_EXPIRES_OFFSET)
      if expires > now then break end
      entries[#entries + 1] = pop(queue)
    end
  end
  return entries
end

local answer = {}
for _, queue in ipairs(used_queues()) do
  local entries = expired(queue, left)
  if #entries > 0 then
    left = left - #entries
    take(queue, worker, entries)
    add_messages(answer, queue, entries)
  end
end
return answer
