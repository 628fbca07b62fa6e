-- The queues on Redis. Each priority, '0' to '6', has keys of its own. Lists are filled on the left and taken
-- from on the right: the oldest is last.

-- List of the entries that wait.
local function waiting_key(priority) return base .. ':q:' .. priority end
-- Hash: entry -> message, while it waits or is with a worker.
local function messages_key(priority) return base .. ':m:' .. priority end
-- Set of the entries that were published again since they were taken.
local function again_key(priority) return base .. ':a:' .. priority end
-- Set of the entries that a worker holds.
local function held_key(priority, worker) return base .. ':f:' .. priority .. ':' .. worker end
-- List of at most one token, which wakes one consumer.
local function bell_key(queue) return base .. ':bell:' .. queue end

-- The digits of a queue's priorities, most urgent first.
local function each_priority(priorities) return priorities:gmatch('%d') end

-- The bell holds a token whenever something waits. A consumer that took the token and leaves something behind
-- rings for the next one, so one token wakes as many as are needed.
local function ring(queue, priorities)
  local bell = bell_key(queue)
  for priority in each_priority(priorities) do
    if redis.call('EXISTS', waiting_key(priority)) == 1 then
      if redis.call('EXISTS', bell) == 0 then redis.call('LPUSH', bell, '1') end
      return
    end
  end
  redis.call('DEL', bell)
end

-- The name of a priority's queue, and its priorities. Takes the priority as a number.
local function queue_of(priority) return QUEUE_NAMES[priority], QUEUE_PRIORITIES[priority] end
local function ring_for(priority) ring(queue_of(priority)) end

-- Whether an entry and its value are a message of this priority.
local function is_message(priority, an_entry, value)
  return priority_of(an_entry, value) == tonumber(priority)
end

-- What was published again of these is one message with what waits. The set is hardly ever there.
local function forget_again(priority, entries)
  local key = again_key(priority)
  if redis.call('EXISTS', key) == 0 then return end
  slices(entries, function(...) redis.call('SREM', key, ...) end)
end

-- What is no message must cost itself alone. It was taken out of its list before.
local function set_message_aside(priority, an_entry, value)
  set_value_aside('m', an_entry, value)
  redis.call('HDEL', messages_key(priority), an_entry)
  forget_again(priority, { an_entry })
end

-- The oldest entry that waits, and its value; false where there is none.
local function head(priority)
  local oldest = redis.call('LINDEX', waiting_key(priority), -1)
  local value = oldest and redis.call('HGET', messages_key(priority), oldest)
  return oldest, value
end

-- Marks entries as being with a worker.
local function take(priority, worker, entries)
  slices(entries, function(...) redis.call('SADD', held_key(priority, worker), ...) end)
  forget_again(priority, entries)
end

-- Those of the entries that are with the worker, who holds them no more. The others went to another worker.
local function take_away(priority, worker, entries)
  local key = held_key(priority, worker)
  local gone = {}
  for i, is_held in ipairs(redis.call('SMISMEMBER', key, unpack(entries))) do
    if is_held == 1 then gone[#gone + 1] = entries[i] end
  end
  slices(gone, function(...) redis.call('SREM', key, ...) end)
  return gone
end

-- Forgets messages that are done with, apart from those that were published again since they were taken:
-- these wait anew. Answers whether there are any.
local function forget_messages(priority, entries)
  local done = entries
  local back = {}
  local again = again_key(priority)
  if redis.call('EXISTS', again) == 1 then
    done = {}
    for i, is_again in ipairs(redis.call('SMISMEMBER', again, unpack(entries))) do
      local list = is_again == 1 and back or done
      list[#list + 1] = entries[i]
    end
  end
  slices(done, function(...) redis.call('HDEL', messages_key(priority), ...) end)
  if #back == 0 then return false end
  forget_again(priority, back)
  slices(back, function(...) redis.call('LPUSH', waiting_key(priority), ...) end)
  return true
end

-- All that a worker holds, oldest first: ids rise with time.
local function all_held(priority, worker)
  local entries = redis.call('SMEMBERS', held_key(priority, worker))
  table.sort(entries)
  return entries
end

-- Puts entries, oldest first, before all that wait.
local function put_first(priority, entries)
  local reversed = {}
  for i = #entries, 1, -1 do reversed[#reversed + 1] = entries[i] end
  slices(reversed, function(...) redis.call('RPUSH', waiting_key(priority), ...) end)
end

-- Adds to the answer: a list of entries and one of their values, in the same order.
local function add_messages(answer, priority, entries)
  if #entries == 0 then return end
  answer[#answer + 1] = { entries, redis.call('HMGET', messages_key(priority), unpack(entries)) }
end
