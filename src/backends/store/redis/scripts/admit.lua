-- Accepts tasks: record, unique key and, of a delayed one, schedule entry; of one that is there already
-- nothing changes.
-- ARGV: milliseconds that a queued record outlives its task's expiry; milliseconds that the list of what came
-- is kept; then of each task: id, record, unique key or '', expires, due ('' for now), message ('' for now).
-- Answers of those that are there already: position from 0, and id: their own, or of the task that has their
-- unique key.
local FIELDS = 6
local FIRST_TASK = 3
local margin = tonumber(ARGV[1])

local function add(id, bytes, unique_key, expires, due, message)
  if unique_key ~= '' then
    local there = redis.call('EXISTS', task_key(id)) == 1 and id or holder(unique_key)
    if there then return there end
    redis.call('SET', holder_key(unique_key), id)
  end
  if due == '' then
    local forgotten = math.max(tonumber(expires), now) + margin
    if not redis.call('SET', task_key(id), bytes, 'NX', 'PXAT', forgotten) then return id end
    if unique_key ~= '' then redis.call('PEXPIREAT', holder_key(unique_key), forgotten) end
  else
    if not redis.call('SET', task_key(id), bytes, 'NX') then return id end
    local generation = bytes:sub(GENERATION_OFFSET, ATTEMPT_OFFSET - 1)
    enter(id .. generation, due, message)
  end
  note_new(id)
  count(ENQUEUED, queue_in(bytes))
end

local answer = {}
for i = FIRST_TASK, #ARGV, FIELDS do
  local there = add(unpack(ARGV, i, i + FIELDS - 1))
  if there then answer[#answer + 1] = { (i - FIRST_TASK) / FIELDS, there } end
end
put_recent(ARGV[2])
announce()
count_up()
return answer
