-- Accepts tasks: record, unique key, and message on its queue or, of a delayed one, in the schedule set. Of one
-- that is there already nothing changes, and nothing is written of one for which its queue has no room.
-- ARGV: milliseconds that a queued record outlives its task's expiry; the limit of each priority's queue, seven
-- in all; then of each task: id, record, unique key or '', expires, due ('' for now), message.
-- Answers of those that were not added: position from 0, and the id of the task that is there, or '' where
-- there was no room.
local FIELDS = 6
local FIRST_TASK = 9
local margin = tonumber(ARGV[1])

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
  entries[priority] = entries[priority] or {}
  values[priority] = values[priority] or {}
  table.insert(entries[priority], an_entry)
  table.insert(values[priority], an_entry)
  table.insert(values[priority], value)
end

local function add(id, bytes, unique_key, expires, due, message)
  if redis.call('EXISTS', task_key(id)) == 1 then return id end
  local there = unique_key ~= '' and holder(unique_key)
  if there then return there end
  local priority = bytes:byte(PRIORITY_OFFSET)
  local an_entry = id .. bytes:sub(GENERATION_OFFSET, ATTEMPT_OFFSET - 1)
  if due == '' then
    local left, name = room(priority)
    if left <= 0 then return '' end
    rooms[name] = left - 1
    local forgotten = ('%d'):format(math.max(tonumber(expires), now) + margin)
    redis.call('SET', task_key(id), bytes, 'PXAT', forgotten)
    if unique_key ~= '' then redis.call('SET', holder_key(unique_key), id, 'PXAT', forgotten) end
    put_on_queue(priority, an_entry, message)
  else
    redis.call('SET', task_key(id), bytes)
    if unique_key ~= '' then redis.call('SET', holder_key(unique_key), id) end
    enter(an_entry, due, message)
  end
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
