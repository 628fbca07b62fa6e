-- Moves due tasks of some lanes from the schedule set to their queues. Those of other lanes, and those that
-- have no record, are left to a broker; what is no message is set aside. What stays in the set holds up
-- nothing behind it, within some pages.
-- ARGV: role, fence, limit, milliseconds that a queued record outlives its task's expiry, the lanes in one
-- string, how many tasks may wait on a queue; then each queue that has a limit of its own, and this.
-- Answers how many were moved; of how many the queues were full, and one of those queues, or ''; how many are
-- left to a broker; when the next one is due (false: none). FENCED where another one leads by now.
local PAGES = 8
local FIRST_LIMIT = 7
local refusal = overtaken(ARGV[1], ARGV[2])
if refusal then return refusal end
local limit = tonumber(ARGV[3])
local margin = tonumber(ARGV[4])
local lanes = ARGV[5]

local limits = {}
for i = FIRST_LIMIT, #ARGV, 2 do limits[queue_named(ARGV[i])] = tonumber(ARGV[i + 1]) end

-- How many more each queue takes.
local rooms = {}
local function take_room(queue)
  local room = rooms[queue] or room_on(queue, limits[queue] or tonumber(ARGV[6]))
  rooms[queue] = room - 1
  return room > 0
end

-- Entries and messages that are to be moved, of each queue.
local due = {}
local moved = 0
local full = 0
local full_queue = ''
local others = 0

local function sort_out(an_entry, message)
  local record = read(id_of(an_entry))
  local queue = record and queue_of(record)
  if not queue or not is_on(lanes, queue) then
    others = others + 1
  elseif take_room(queue) then
    moved = moved + 1
    local batch = due[queue] or { entries = {}, messages = {} }
    due[queue] = batch
    batch.entries[#batch.entries + 1] = an_entry
    batch.messages[#batch.messages + 1] = message
  else
    full = full + 1
    full_queue = queue
  end
end

local function sort_page_out(found)
  local ids = {}
  for i, candidate in ipairs(found) do ids[i] = id_of(candidate) end
  read_all(ids)
  for i, message in ipairs(redis.call('HMGET', SCHEDULED_MESSAGES, unpack(found))) do
    if priority_of(found[i], message) then
      sort_out(found[i], message)
    else
      set_entry_aside(found[i], message)
    end
  end
end

for _ = 1, PAGES do
  local passed = moved + full + others
  local found = redis.call('ZRANGEBYSCORE', SCHEDULE, '-inf', now, 'LIMIT', passed, limit - moved)
  if #found == 0 then break end
  sort_page_out(found)
  if moved == limit then break end
end

for queue, batch in pairs(due) do
  publish(queue, moved, batch.entries, batch.messages)
  for _, promoted in ipairs(batch.entries) do leave_for_queue(promoted, margin) end
end

local following = redis.call('ZRANGEBYSCORE', SCHEDULE, '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
return { moved, full, tostring(full_queue), others, following and natural(following) or false }
