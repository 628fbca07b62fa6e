-- Takes messages off a queue for a worker, most urgent and oldest first. What is no message is set aside.
-- ARGV: worker, how many, queue, the queue's priorities.
-- Answers of each priority that had some: their entries, and their values in the same order.
local worker = ARGV[1]
local left = tonumber(ARGV[2])
local queue = ARGV[3]
local priorities = ARGV[4]

-- Takes up to so many messages out of a list: their entries, and their values.
local function pull(priority, wanted)
  local entries = {}
  local values = {}
  while wanted > 0 do
    local popped = redis.call('RPOP', waiting_key(priority), wanted) or {}
    if #popped == 0 then break end
    local asked = wanted
    for i, value in ipairs(redis.call('HMGET', messages_key(priority), unpack(popped))) do
      if is_message(priority, popped[i], value) then
        entries[#entries + 1] = popped[i]
        values[#values + 1] = value
        wanted = wanted - 1
      else
        set_message_aside(priority, popped[i], value)
      end
    end
    if #popped < asked then break end
  end
  return entries, values
end

local answer = {}
for priority in each_priority(priorities) do
  local entries, values = pull(priority, left)
  if #entries > 0 then
    left = left - #entries
    take(priority, worker, entries)
    answer[#answer + 1] = { entries, values }
  end
end
ring(queue, priorities)
return answer
