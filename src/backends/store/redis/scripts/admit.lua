-- ARGV: margin, then of each task: id, its record, unique key, expires, due ('' for now), message ('' for now).
-- Answers position and id of those that are there already: their own, or the id of the task that has their unique key.
local margin = tonumber(ARGV[1])
local answer = {}

local function add(id, record, key, expires, at, message)
  if key ~= '' then
    local there = redis.call('EXISTS', task(id)) == 1 and id or holder(key)
    if there then return there end
    redis.call('SET', unique(key), id)
  end
  if at == '' then
    local forgotten = math.max(tonumber(expires), now) + margin
    if not redis.call('SET', task(id), record, 'NX', 'PXAT', forgotten) then return id end
    if key ~= '' then redis.call('PEXPIREAT', unique(key), forgotten) end
  else
    if not redis.call('SET', task(id), record, 'NX') then return id end
    -- The record has the generation after its state, four marks and priority.
    enter(id .. record:sub(7, 10), at, message)
  end
  count('e', record:byte(6))
end

for i = 2, #ARGV, 6 do
  local there = add(unpack(ARGV, i, i + 5))
  if there then answer[#answer + 1] = { (i - 2) / 6, there } end
end
announce()
count_up()
return answer
