-- Accepts tasks: record, unique key, and message on its queue or, of a delayed one, in the schedule set. Of one
-- that is there already nothing changes, and nothing is written of one for which its queue has no room.
-- ARGV: milliseconds that a queued record outlives its task's expiry; the limit of each priority's queue, seven
-- in all; then of each task: its message's entry, its record, its message.
-- Answers of those that were not added: position from 0, and the id of the task that is there, or '' where
-- there was no room.
local FIELDS = 3
local FIRST_TASK = 9
local margin = tonumber(ARGV[1])

-- As text: Redis takes a number apart digit by digit.
local forget_times = {}
local function forget_when(expires)
  local time = forget_times[expires]
  if not time then
    time = ('%d'):format(math.max(struct.unpack(EXPIRES_FORMAT, expires), now) + margin)
    forget_times[expires] = time
  end
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

local function delay(id, key, an_entry, bytes, unique_key, message)
  if not redis.call('SET', key, bytes, 'NX') then return id end
  if unique_key ~= '' then redis.call('SET', holder_key(unique_key), id) end
  enter(an_entry, struct.unpack(DUE_FORMAT, bytes, DUE_OFFSET), message)
  count(ENQUEUED, bytes:byte(PRIORITY_OFFSET))
end

local SCHEDULED_BYTE = SCHEDULED:byte()
local function add(an_entry, bytes, message)
  local id = id_of(an_entry)
  local key = task_key(id)
  local state, _, _, has_key, _, priority = bytes:byte(STATE_OFFSET, PRIORITY_OFFSET)
  local unique_key = has_key == YES and unpack_tail(sub(bytes, TAIL_OFFSET)).unique_key or ''
  local there = there_already(id, unique_key)
  if there then return there end
  if state == SCHEDULED_BYTE then return delay(id, key, an_entry, bytes, unique_key, message) end
  local left, name = room(priority)
  if left <= 0 then return is_known(id) and id or '' end
  local forgotten = forget_when(sub(bytes, EXPIRES_OFFSET, STARTED_OFFSET - 1))
  if not redis.call('SET', key, bytes, 'NX', 'PXAT', forgotten) then return id end
  if unique_key ~= '' then redis.call('SET', holder_key(unique_key), id, 'PXAT', forgotten) end
  rooms[name] = left - 1
  put_on_queue(priority, an_entry, message)
  count(ENQUEUED, priority)
end

local answer = {}
for i = FIRST_TASK, #ARGV, FIELDS do
  local there = add(ARGV[i], ARGV[i + 1], ARGV[i + 2])
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
