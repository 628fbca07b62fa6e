-- Totals of each queue are summed up here and written once, by `count_up`.

-- What a queue is counted as where that is not how it is written. An earlier version counts P2 and P3 as '2'.
local QUEUES = { [0] = '0', '1', '2', 'high.p3', '3', '4', '5' }
-- Counts of the last minute, by spans of ten seconds.
local PERIOD = 10 * 1000
local PERIODS_KEPT = 2 * 60 * 1000
local function period_key(period) return TOTALS .. ':' .. period end
local function this_period() return math.floor(now / PERIOD) end

-- Codes of what is counted: e enqueued, r retried; of an end the code of its state, which is written small.
-- Within a period all ends are one: f.
local ENQUEUED = 'e'
local RETRIED = 'r'
local FINISHED = 'f'

local counts = {}
local function count(code, queue, by)
  local of_code = counts[code] or {}
  counts[code] = of_code
  of_code[queue] = (of_code[queue] or 0) + (by or 1)
end

local function write_count(period, code, queue, by)
  redis.call('HINCRBY', TOTALS, code:lower() .. queue, by)
  if code == ENQUEUED then
    redis.call('HINCRBY', period, ENQUEUED .. queue, by)
  elseif code ~= RETRIED then
    redis.call('HINCRBY', period, FINISHED .. queue, by)
  end
end

local function count_up()
  local period = period_key(this_period())
  for code, of_code in pairs(counts) do
    for queue, by in pairs(of_code) do write_count(period, code, QUEUES[queue] or queue, by) end
  end
  if next(counts) then redis.call('PEXPIRE', period, PERIODS_KEPT) end
end
