-- The schedule set. What changes it calls `announce` at its end.

-- When the first entry is due, or nil.
local function earliest()
  local first = redis.call('ZRANGE', SCHEDULE, 0, 0, 'WITHSCORES')[2]
  return first and natural(first)
end

-- When the first entry was due before this script entered the first of its own: false as long as it entered
-- none.
local earliest_before = false
local function enter(an_entry, due, message)
  if earliest_before == false then earliest_before = earliest() end
  redis.call('ZADD', SCHEDULE, due, an_entry)
  redis.call('HSET', SCHEDULED_MESSAGES, an_entry, message)
  redis.call('HDEL', HANDED_OUT, an_entry)
end

-- Tells those who wait for the next due time when it came nearer.
local function announce()
  if earliest_before == false then return end
  local first = earliest()
  if first and (not earliest_before or first < earliest_before) then redis.call('PUBLISH', EVENTS, 's') end
end

local function leave(an_entry)
  redis.call('ZREM', SCHEDULE, an_entry)
  redis.call('HDEL', SCHEDULED_MESSAGES, an_entry)
  redis.call('HDEL', HANDED_OUT, an_entry)
end

local function set_entry_aside(an_entry, value)
  leave(an_entry)
  set_value_aside('s', an_entry, value)
end

-- The message of this entry is on its queue.
local function leave_for_queue(an_entry, margin)
  leave(an_entry)
  local id = id_of(an_entry)
  local record = read(id)
  if not record or record.state ~= SCHEDULED or entry_of(id, record) ~= an_entry then return end
  record.state = QUEUED
  record.due = 0
  write_queued(id, record, margin)
end
