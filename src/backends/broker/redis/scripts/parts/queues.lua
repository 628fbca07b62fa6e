-- The queues on Redis. The own queue of a priority goes by its number, 0 to 6; a user's own one goes by how it is
-- written, as calls@P2. Lists are filled on the left and taken from on the right: the oldest is last.

-- List of the entries that wait.
local function waiting_key(queue) return base .. ':q:' .. queue end
-- Hash: entry -> message, while it waits or is with a worker.
local function messages_key(queue) return base .. ':m:' .. queue end
-- Set of the entries that were published again since they were taken.
local function again_key(queue) return base .. ':a:' .. queue end
-- Set of the entries that a worker holds.
local function held_key(queue, worker) return base .. ':f:' .. queue .. ':' .. worker end
-- List of at most one token, which wakes one consumer.
local function bell_key(queue) return base .. ':bell:' .. (QUEUE_NAMES[queue] or queue) end

-- A queue as an argument names it.
local function queue_named(text) return tonumber(text) or text end

-- Remembers a queue of a user's own.
local function note_queue(queue)
  if type(queue) == 'string' then redis.call('SADD', OWN_QUEUES, queue) end
end

-- All queues that may have tasks, those of users last.
local function used_queues()
  local all = {}
  for priority = 0, LOWEST_PRIORITY do all[#all + 1] = priority end
  for _, queue in ipairs(redis.call('SMEMBERS', OWN_QUEUES)) do all[#all + 1] = queue end
  return all
end

-- Whether a queue is on one of these lanes.
local function is_on(lanes, queue)
  local lane = type(queue) == 'string' and queue:match('/(%a+)$')
  local priority = tonumber(queue) or tonumber(queue:match('@P(%d)'))
  return lanes:find(lane or LANE_NAMES[priority], 1, true) ~= nil
end

-- The bell holds a token whenever something waits. A consumer that took the token and leaves something behind
-- rings for the next one, so one token wakes as many as are needed.
local function ring(queue)
  local bell = bell_key(queue)
  if redis.call('EXISTS', waiting_key(queue)) == 0 then
    redis.call('DEL', bell)
  elseif redis.call('EXISTS', bell) == 0 then
    redis.call('LPUSH', bell, '1')
  end
end

-- Whether an entry and its value are a message of this queue.
local function is_message(queue, an_entry, value)
  local priority = tonumber(queue) or tonumber(queue:match('@P(%d)'))
  return priority_of(an_entry, value) == priority
end

-- What was published again of these is one message with what waits. The set is hardly ever there.
local function forget_again(queue, entries)
  local key = again_key(queue)
  if redis.call('EXISTS', key) == 0 then return end
  slices(entries, function(...) redis.call('SREM', key, ...) end)
end

-- What is no message must cost itself alone. It was taken out of its list before.
local function set_message_aside(queue, an_entry, value)
  set_value_aside('m', an_entry, value)
  redis.call('HDEL', messages_key(queue), an_entry)
  forget_again(queue, { an_entry })
end

-- The oldest entry that waits, and its value; false where there is none.
local function head(queue)
  local oldest = redis.call('LINDEX', waiting_key(queue), -1)
  local value = oldest and redis.call('HGET', messages_key(queue), oldest)
  return oldest, value
end

-- Marks entries as being with a worker.
local function take(queue, worker, entries)
  slices(entries, function(...) redis.call('SADD', held_key(queue, worker), ...) end)
  forget_again(queue, entries)
end

-- Those of the entries that are with the worker, who holds them no more. The others went to another worker.
local function take_away(queue, worker, entries)
  local key = held_key(queue, worker)
  local gone = {}
  for i, is_held in ipairs(redis.call('SMISMEMBER', key, unpack(entries))) do
    if is_held == 1 then gone[#gone + 1] = entries[i] end
  end
  slices(gone, function(...) redis.call('SREM', key, ...) end)
  return gone
end

-- Forgets messages that are done with, apart from those that were published again since they were taken:
-- these wait anew. Answers whether there are any.
local function forget_messages(queue, entries)
  local done = entries
  local back = {}
  local again = again_key(queue)
  if redis.call('EXISTS', again) == 1 then
    done = {}
    for i, is_again in ipairs(redis.call('SMISMEMBER', again, unpack(entries))) do
      local list = is_again == 1 and back or done
      list[#list + 1] = entries[i]
    end
  end
  slices(done, function(...) redis.call('HDEL', messages_key(queue), ...) end)
  if #back == 0 then return false end
  forget_again(queue, back)
  slices(back, function(...) redis.call('LPUSH', waiting_key(queue), ...) end)
  return true
end

-- All that a worker holds, oldest first: ids rise with time.
local function all_held(queue, worker)
  local entries = redis.call('SMEMBERS', held_key(queue, worker))
  table.sort(entries)
  return entries
end

-- Puts entries, oldest first, before all that wait.
local function put_first(queue, entries)
  local reversed = {}
  for i = #entries, 1, -1 do reversed[#reversed + 1] = entries[i] end
  slices(reversed, function(...) redis.call('RPUSH', waiting_key(queue), ...) end)
end

-- Adds to the answer: a list of entries and one of their values, in the same order.
local function add_messages(answer, queue, entries)
  if #entries == 0 then return end
  answer[#answer + 1] = { entries, redis.call('HMGET', messages_key(queue), unpack(entries)) }
end
