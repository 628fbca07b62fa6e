-- Adds messages to a queue; one whose entry is known is not added twice.
-- ARGV: queue, its limit; then entry and value of each message.
-- Answers the positions, from 1, of the messages for which there was no room.
local queue = queue_named(ARGV[1])
local room = tonumber(ARGV[2]) - redis.call('LLEN', waiting_key(queue))

local entries = {}
for i = 3, #ARGV, 2 do entries[#entries + 1] = ARGV[i] end

-- What this adds to the list; to the hash, as entries and values in turn; to the set of what was published
-- again.
local new = {}
local values = {}
local repeated = {}
local refused = {}

local function keep(published, value)
  values[#values + 1] = published
  values[#values + 1] = value
end

local function repeat_known(published, value, before)
  repeated[#repeated + 1] = published
  -- What cannot be read must not pass for this message.
  if not is_message(queue, published, before) then
    keep(published, value)
    if not redis.call('LPOS', waiting_key(queue), published) then new[#new + 1] = published end
  end
end

local seen = {}
for i, before in ipairs(redis.call('HMGET', messages_key(queue), unpack(entries))) do
  local published = entries[i]
  local value = ARGV[2 + 2 * i]
  if before then
    repeat_known(published, value, before)
  elseif seen[published] then
    -- Twice in one batch: once is enough.
  elseif room > 0 then
    room = room - 1
    seen[published] = true
    new[#new + 1] = published
    keep(published, value)
  else
    refused[#refused + 1] = i
  end
end
note_queue(queue)
slices(values, function(...) redis.call('HSET', messages_key(queue), ...) end)
slices(new, function(...) redis.call('LPUSH', waiting_key(queue), ...) end)

-- An entry that waits needs no second one, and forgets the mark when it is taken. One that a worker holds
-- does: the worker may be about to acknowledge it, having put the task back into the schedule set, and this
-- is the message that comes from there.
slices(repeated, function(...) redis.call('SADD', again_key(queue), ...) end)
ring(queue)
return refused
