-- Puts the messages of all tasks that a worker, known to be gone, ran to the front of their queues, the oldest
-- first.
-- ARGV: worker; the lanes that are meant, in one string.
-- Answers how many there were.
local worker = ARGV[1]
local lanes = ARGV[2]

local back = {}
local gone = {}
for _, id in ipairs(redis.call('SMEMBERS', claims_key(worker))) do
  local record = read(id)
  local queue = record and is_run_by(record, worker) and queue_of(record)
  if queue and is_on(lanes, queue) then
    local an_entry = entry_of(id, record)
    if redis.call('HEXISTS', messages_key(queue), an_entry) == 1 then
      back[queue] = back[queue] or {}
      table.insert(back[queue], an_entry)
      gone[#gone + 1] = id
    end
  end
end
slices(gone, function(...) redis.call('SREM', claims_key(worker), ...) end)
for queue, entries in pairs(back) do
  table.sort(entries)
  put_first(queue, entries)
  ring(queue)
end
return #gone
