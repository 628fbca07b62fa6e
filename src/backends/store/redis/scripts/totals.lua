-- ARGV: none. Answers for each queue: enqueued, completed, retried, dead, cancelled, and of the last full
-- minute: enqueued, finished.
local ALL_CODES = { ENQUEUED, COMPLETED:lower(), RETRIED, DEAD:lower(), CANCELLED:lower() }
local MINUTE_CODES = { ENQUEUED, FINISHED }
local LAST_QUEUE = 5
local MINUTE = 6

-- Adds the counts of these codes to a queue's, from a place on.
local function add(key, codes, queue, sums, place)
  local fields = {}
  for i, code in ipairs(codes) do fields[i] = code .. queue end
  for i, number in ipairs(redis.call('HMGET', key, unpack(fields))) do
    local at = place + i
    sums[at] = (sums[at] or 0) + tonumber(number or 0)
  end
end

local answer = {}
for queue = 0, LAST_QUEUE do
  local sums = {}
  add(TOTALS, ALL_CODES, queue, sums, 0)
  for ago = 1, MINUTE do
    add(period_key(this_period() - ago), MINUTE_CODES, queue, sums, #ALL_CODES)
  end
  answer[queue + 1] = sums
end
return answer
