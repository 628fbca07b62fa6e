-- Takes messages off a queue for a worker, most urgent and oldest first. What is no message is set aside.
-- ARGV: worker, how many, queue.
-- Answers, where there are some, a list of their entries and one of their values in the same order.
local worker = ARGV[1]
local most = tonumber(ARGV[2])
local queue = queue_named(ARGV[3])

-- Takes up to so many messages out of a list: their entries, and their values.
local function pull(wanted)
  local entries = {}
  local values = {}
  while wanted > 0 do
    local popped = redis.call('RPOP', waiting_key(queue), wanted) or {}
    if #popped == 0 then break end
    local asked = wanted
    for i, value in ipairs(redis.call('HMGET', messages_key(queue), unpack(popped))) do
      if is_message(queue, popped[i], value) then
        entries[#entries + 1] = popped[i]
        values[#values + 1] = value
        wanted = wanted - 1
      else
        set_message_aside(queue, popped[i], value)
      end
    end
    if #popped < asked then break end
  end
  return entries, values
end

local answer = {}
local entries, values = pull(most)
if #entries > 0 then
  take(queue, worker, entries)
  answer[1] = { entries, values }
end
ring(queue)
return answer
