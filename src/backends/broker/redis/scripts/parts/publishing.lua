-- Putting messages on a queue.

-- Adds a message to what goes into the queue's hash: entries and values in turn.
local function keep_message(values, an_entry, value)
  local count = #values
  values[count + 1] = an_entry
  values[count + 2] = value
end

-- An entry that waits needs no second one, and forgets the mark when it is taken. One that a worker holds
-- does: the worker may be about to acknowledge it, having put the task back into the schedule set, and this
-- is the message that comes from there.
local function publish_again(queue, added, an_entry, value, before)
  added.repeated[#added.repeated + 1] = an_entry
  -- What cannot be read must not pass for this message.
  if is_message(queue, an_entry, before) then return end
  keep_message(added.values, an_entry, value)
  if not redis.call('LPOS', waiting_key(queue), an_entry) then added.new[#added.new + 1] = an_entry end
end

-- Adds to the list, to the hash, and to the set of what was published again.
local function add_to_queue(queue, added)
  note_queue(queue)
  slices(added.values, function(...) redis.call('HSET', messages_key(queue), ...) end)
  slices(added.new, function(...) redis.call('LPUSH', waiting_key(queue), ...) end)
  slices(added.repeated, function(...) redis.call('SADD', again_key(queue), ...) end)
  ring(queue)
end

-- Adds messages to a queue; one whose entry is known is not added twice. Answers the positions, from 1, of
-- those for which there was no room.
local function publish(queue, room, entries, messages)
  local added = { new = {}, values = {}, repeated = {} }
  local refused = {}
  local seen = {}
  for i, before in ipairs(redis.call('HMGET', messages_key(queue), unpack(entries))) do
    local published = entries[i]
    if before then
      publish_again(queue, added, published, messages[i], before)
    elseif seen[published] then
      -- Twice in one batch: once is enough.
    elseif room > 0 then
      room = room - 1
      seen[published] = true
      added.new[#added.new + 1] = published
      keep_message(added.values, published, messages[i])
    else
      refused[#refused + 1] = i
    end
  end
  add_to_queue(queue, added)
  return refused
end

-- How many more a queue takes.
local function room_on(queue, limit) return limit - redis.call('LLEN', waiting_key(queue)) end
