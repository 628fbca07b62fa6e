-- Takes what has expired at the head of each list for a worker, and sets aside what is no message.
-- ARGV: worker, limit.
-- Answers of each priority that had some: their entries, and their values in the same order.
local worker = ARGV[1]
local left = tonumber(ARGV[2])

local function pop(priority) return redis.call('RPOP', waiting_key(priority)) end

-- Up to so many expired entries of a list.
local function expired(priority, limit)
  local entries = {}
  while #entries < limit do
    local first, value = head(priority)
    if not first then break end
    if not is_message(priority, first, value) then
      set_message_aside(priority, pop(priority), value)
    else
      local expires = struct.unpack(MESSAGE_EXPIRES_FORMAT, value, MESSAGE_EXPIRES_OFFSET)
      if expires > now then break end
      entries[#entries + 1] = pop(priority)
    end
  end
  return entries
end

local answer = {}
for number = 0, LOWEST_PRIORITY do
  local priority = tostring(number)
  local entries = expired(priority, left)
  if #entries > 0 then
    left = left - #entries
    take(priority, worker, entries)
    add_messages(answer, priority, entries)
  end
end
return answer
