-- ARGV: none. Answers of each queue that had a task: what it is counted as; enqueued, completed, retried, dead,
-- cancelled, and of the last full minute: enqueued, finished.
local ALL_CODES = { ENQUEUED, COMPLETED:lower(), RETRIED, DEAD:lower(), CANCELLED:lower() }
local MINUTE_CODES = { ENQUEUED, FINISHED }
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

local counted = {}
for _, field in ipairs(redis.call('HKEYS', TOTALS)) do counted[field:sub(2)] = true end

local answer = {}
for queue in pairs(counted) do
  local sums = {}
  add(TOTALS, ALL_CODES, queue, sums, 0)
  for ago = 1, MINUTE do
    add(period_key(this_period() - ago), MINUTE_CODES, queue, sums, #ALL_CODES)
  end
  answer[#answer + 1] = { queue, sums }
end
return answer
