-- Accepts tasks: record, unique key, and message on its queue or, of a delayed one, in the schedule set. Of one
-- that is there already nothing changes, and nothing is written of one for which its queue has no room.
-- ARGV: milliseconds that a queued record outlives its task's expiry; the limit of each priority's queue, seven
-- in all; then of each task: id, record, unique key or '', expires, due ('' for now), message.
-- Answers of those that were not added: position from 0, and the id of the task that is there, or '' where
-- there was no room.
local FIELDS = 6
local FIRST_TASK = 9
local margin = tonumber(ARGV[1])

-- As text: Redis takes a number apart digit by digit.
local forget_times = {}
local function forget_when(expires)
  local time = forget_times[expires] or ('%d'):format(math.max(tonumber(expires), now) + margin)
  forget_times[expires] = time
  return time
end

-- How many more the queue of a priority takes.
local rooms = {}
local function room(priority)
  local name, priorities = queue_of(priority)
  if not rooms[name] then
    rooms[name] = tonumber(ARGV[2 + priority])
    for each in each_priority(priorities) do
      rooms[name] = rooms[name] - redis.call('LLEN', waiting_key(each))
    end
  end
  return rooms[name], name
end

-- What is added to each priority's list, and to its hash.
local entries = {}
local values = {}
local function put_on_queue(priority, an_entry, value)
  local waiting = entries[priority] or {}
  local added = values[priority] or {}
  entries[priority] = waiting
  values[priority] = added
  waiting[#waiting + 1] = an_entry
  added[#added + 1] = an_entry
  added[#added + 1] = value
end

local function is_known(id) return redis.call('EXISTS', task_key(id)) == 1 end

-- The unfinished task that has the key, or the task itself where it is known.
local function there_already(id, unique_key)
  if unique_key == '' then return nil end
  return is_known(id) and id or holder(unique_key)
end

local function delay(id, bytes, unique_key, due, message)
  if not redis.call('SET', task_key(id), bytes, 'NX') then return id end
  if unique_key ~= '' then redis.call('SET', holder_key(unique_key), id) end
  enter(id .. bytes:sub(GENERATION_OFFSET, ATTEMPT_OFFSET - 1), due, message)
  count(ENQUEUED, bytes:byte(PRIORITY_OFFSET))
end

local function add(id, bytes, unique_key, expires, due, message)
  local there = there_already(id, unique_key)
  if there then return there end
  if due ~= '' then return delay(id, bytes, unique_key, due, message) end
  local priority = bytes:byte(PRIORITY_OFFSET)
  local left, name = room(priority)
  if left <= 0 then return is_known(id) and id or '' end
  local forgotten = forget_when(expires)
  if not redis.call('SET', task_key(id), bytes, 'NX', 'PXAT', forgotten) then return id end
  if unique_key ~= '' then redis.call('SET', holder_key(unique_key), id, 'PXAT', forgotten) end
  rooms[name] = left - 1
  put_on_queue(priority, id .. bytes:sub(GENERATION_OFFSET, ATTEMPT_OFFSET - 1), message)
  count(ENQUEUED, priority)
end

local answer = {}
for i = FIRST_TASK, #ARGV, FIELDS do
  local there = add(unpack(ARGV, i, i + FIELDS - 1))
  if there then answer[#answer + 1] = { (i - FIRST_TASK) / FIELDS, there } end
end
for priority, added in pairs(entries) do
  slices(values[priority], function(...) redis.call('HSET', messages_key(priority), ...) end)
  slices(added, function(...) redis.call('LPUSH', waiting_key(priority), ...) end)
  ring_for(priority)
end
announce()
count_up()
return answer
