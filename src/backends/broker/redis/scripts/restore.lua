-- ARGV: priority, queue, the queue's priorities, how far to look into the list, the living workers in one string, all entries
-- in another. Answers a letter for each: T it is there, R it was put back, G its message is gone, U the list is too long to tell.
local n, queue, priorities, depth, workers = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]

local function is_held(entry)
  for at = 1, #workers, 16 do
    if redis.call('SISMEMBER', flight(n, workers:sub(at, at + 15)), entry) == 1 then return true end
  end
end

local function find(entry)
  local value = redis.call('HGET', bodies(n), entry)
  if not is_message(n, entry, value) then
    -- What cannot be read would pass for the message when that is published again.
    redis.call('HDEL', bodies(n), entry)
    return 'G'
  end
  if is_held(entry) or redis.call('LPOS', waiting(n), entry, 'RANK', -1, 'MAXLEN', depth) then return 'T' end
  if redis.call('LLEN', waiting(n)) > depth then return 'U' end
  redis.call('RPUSH', waiting(n), entry)
  return 'R'
end

local answer = {}
for _, entry in ipairs(list(ARGV[6])) do answer[#answer + 1] = find(entry) end
ring(queue, priorities)
return table.concat(answer)
