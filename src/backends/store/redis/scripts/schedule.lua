-- Enters messages into the schedule set. One that waits for a worker's death comes soon when that has died
-- meanwhile.
-- ARGV: of each message: entry, due, message.
local SOON = 250

-- When the task of a message may start, where it is with a worker that is dead by now.
local function orphaned(id, named)
  local record = read(id)
  if not record or record.state ~= RUNNING or entry_of(id, record) ~= named then return nil end
  if lease_left(record.worker) > 0 then return nil end
  return is_lease_over(record) and math.max(record.due, now) or now
end

for i = 1, #ARGV, 3 do
  local named = ARGV[i]
  local due = tonumber(ARGV[i + 1])
  local message = ARGV[i + 2]
  local earlier = due > now + SOON and orphaned(id_of(named), named)
  if earlier then due = math.min(due, earlier + SOON) end
  enter(named, due, message)
end
announce()
