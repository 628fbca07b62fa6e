-- ARGV: none. Answers for each queue: enqueued, completed, retried, dead, cancelled, and of the last full
-- minute: enqueued, finished.
local ALL_LETTERS = { ENQUEUED, COMPLETED:lower(), RETRIED, DEAD:lower(), CANCELLED:lower() }
local MINUTE_LETTERS = { ENQUEUED, FINISHED }
local LAST_QUEUE = 5
local MINUTE = 6

-- Adds the counts of these letters to a queue's, from a place on.
local function add(key, letters, queue, sums, place)
  local fields = {}
  for i, letter in ipairs(letters) do fields[i] = letter .. queue end
  for i, number in ipairs(redis.call('HMGET', key, unpack(fields))) do
    local at = place + i
    sums[at] = (sums[at] or 0) + tonumber(number or 0)
  end
end

local answer = {}
for queue = 0, LAST_QUEUE do
  local sums = {}
  add(TOTALS, ALL_LETTERS, queue, sums, 0)
  for ago = 1, MINUTE do
    add(period_key(this_period() - ago), MINUTE_LETTERS, queue, sums, #ALL_LETTERS)
  end
  answer[queue + 1] = sums
end
return answer
