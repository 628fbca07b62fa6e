-- Accepts tasks: record, unique key, and message on its queue or, of a delayed one, in the schedule set. Of one
-- that is there already nothing changes, and nothing is written of one for which its queue has no room.
-- ARGV: milliseconds that a queued record outlives its task's expiry; milliseconds that the list of what came
-- is kept; the number of queues that the tasks are for; of each of these its name and its limit; then of each
-- task: its message's entry, its record, its message.
-- Answers of those that were not added: position from 0, and the id of the task that is there, or '' where
-- there was no room.
local FIELDS = 3
local FIRST_QUEUE = 4
local margin = tonumber(ARGV[1])
local first_task = FIRST_QUEUE + 2 * ARGV[3]

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

-- How many more each queue takes.
local rooms = {}
for i = FIRST_QUEUE, first_task - 1, 2 do
  local queue = queue_named(ARGV[i])
  rooms[queue] = tonumber(ARGV[i + 1]) - redis.call('LLEN', waiting_key(queue))
end

-- What is added to each queue's list, and to its hash.
local entries = {}
local values = {}
local function put_on_queue(queue, an_entry, value)
  local waiting = entries[queue] or {}
  local added = values[queue] or {}
  entries[queue] = waiting
  values[queue] = added
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
  note_new(id)
  count(ENQUEUED, queue_in(bytes))
end

local SCHEDULED_BYTE = SCHEDULED:byte()
local function add(an_entry, bytes, message)
  local id = id_of(an_entry)
  local key = task_key(id)
  local state, _, _, has_key = bytes:byte(STATE_OFFSET, PRIORITY_OFFSET)
  local unique_key = has_key == YES and unpack_tail(sub(bytes, TAIL_OFFSET)).unique_key or ''
  local there = there_already(id, unique_key)
  if there then return there end
  if state == SCHEDULED_BYTE then return delay(id, key, an_entry, bytes, unique_key, message) end
  local queue = queue_in(bytes)
  if rooms[queue] <= 0 then return is_known(id) and id or '' end
  local forgotten = forget_when(sub(bytes, EXPIRES_OFFSET, STARTED_OFFSET - 1))
  if not redis.call('SET', key, bytes, 'NX', 'PXAT', forgotten) then return id end
  if unique_key ~= '' then redis.call('SET', holder_key(unique_key), id, 'PXAT', forgotten) end
  rooms[queue] = rooms[queue] - 1
  put_on_queue(queue, an_entry, message)
  note_new(id)
  count(ENQUEUED, queue)
end

local answer = {}
for i = first_task, #ARGV, FIELDS do
  local there = add(ARGV[i], ARGV[i + 1], ARGV[i + 2])
  if there then answer[#answer + 1] = { (i - first_task) / FIELDS, there } end
end
for queue, added in pairs(entries) do
  note_queue(queue)
  slices(values[queue], function(...) redis.call('HSET', messages_key(queue), ...) end)
  slices(added, function(...) redis.call('LPUSH', waiting_key(queue), ...) end)
  ring(queue)
end
put_recent(ARGV[2])
announce()
count_up()
return answer
