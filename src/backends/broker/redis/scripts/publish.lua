-- ARGV: priority, queue, the queue's priorities, its limit, then entry and value of each message.
-- Answers the positions of the messages for which there was no room.
local n, queue, priorities = ARGV[1], ARGV[2], ARGV[3]
local room = tonumber(ARGV[4])
for p in priorities:gmatch('%d') do room = room - redis.call('LLEN', waiting(p)) end

local entries = {}
for i = 5, #ARGV, 2 do entries[#entries + 1] = ARGV[i] end
local known = redis.call('HMGET', bodies(n), unpack(entries))
local new, values, repeated, refused, seen = {}, {}, {}, {}, {}
for i, entry in ipairs(entries) do
  local value = ARGV[4 + 2 * i]
  if known[i] then
    repeated[#repeated + 1] = entry
    -- What cannot be read must not pass for this message.
    if not is_message(n, entry, known[i]) then
      values[#values + 1] = entry
      values[#values + 1] = value
      if not redis.call('LPOS', waiting(n), entry) then new[#new + 1] = entry end
    end
  elseif seen[entry] then
    -- Twice in one batch: once is enough.
  elseif room > 0 then
    room, seen[entry] = room - 1, true
    new[#new + 1] = entry
    values[#values + 1] = entry
    values[#values + 1] = value
  else
    refused[#refused + 1] = i
  end
end
slices(values, function(...) redis.call('HSET', bodies(n), ...) end)
slices(new, function(...) redis.call('LPUSH', waiting(n), ...) end)

-- An entry that waits needs no second one, and forgets the mark when it is taken. One that a worker holds does: the worker
-- may be about to acknowledge it, having put the task back into the schedule set, and this is the message that comes from
-- there.
slices(repeated, function(...) redis.call('SADD', again(n), ...) end)
ring(queue, priorities)
return refused
