-- Puts the messages of all tasks that a worker, known to be gone, ran to the front of their queues, the oldest
-- first.
-- ARGV: worker; the priorities of the queues that are meant.
-- Answers how many there were.
local worker = ARGV[1]
local priorities = ARGV[2]

local back = {}
local gone = {}
for _, id in ipairs(redis.call('SMEMBERS', claims_key(worker))) do
  local record = read(id)
  local priority = record and is_run_by(record, worker) and record.priority
  if priority and priorities:find(priority, 1, true) then
    local an_entry = entry_of(id, record)
    if redis.call('HEXISTS', messages_key(priority), an_entry) == 1 then
      back[priority] = back[priority] or {}
      table.insert(back[priority], an_entry)
      gone[#gone + 1] = id
    end
  end
end
slices(gone, function(...) redis.call('SREM', claims_key(worker), ...) end)
for priority, entries in pairs(back) do
  table.sort(entries)
  put_first(priority, entries)
  ring_for(priority)
end
return #gone
