-- Puts messages back that neither wait nor are with a worker that lives, though their hash has them.
-- ARGV: queue, how far to look into the list, the living workers in one string, all entries in another.
-- Answers in one string for each: T it is there, R it was put back, G its message is gone, U the list is too
-- long to tell.
local queue = queue_named(ARGV[1])
local depth = tonumber(ARGV[2])
local workers = pieces(ARGV[3], ENTRY_ID_WIDTH)
local entries = pieces(ARGV[4], ENTRY_WIDTH)

local function is_held(missing)
  for _, worker in ipairs(workers) do
    if redis.call('SISMEMBER', held_key(queue, worker), missing) == 1 then return true end
  end
  return false
end

local function restore(missing)
  local value = redis.call('HGET', messages_key(queue), missing)
  if not is_message(queue, missing, value) then
    -- What cannot be read would pass for the message when that is published again.
    redis.call('HDEL', messages_key(queue), missing)
    return 'G'
  end
  if is_held(missing) then return 'T' end
  local waiting = waiting_key(queue)
  if redis.call('LPOS', waiting, missing, 'RANK', -1, 'MAXLEN', depth) then return 'T' end
  if redis.call('LLEN', waiting) > depth then return 'U' end
  redis.call('RPUSH', waiting, missing)
  return 'R'
end

local answer = {}
for i, missing in ipairs(entries) do answer[i] = restore(missing) end
ring(queue)
return table.concat(answer)
