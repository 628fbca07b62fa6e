-- Totals of each queue are summed up here and written once, by `count_up`.

-- The digit of a priority's queue.
local QUEUES = { [0] = '0', '1', '2', '2', '3', '4', '5' }
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
local function count(code, priority, by)
  local of_code = counts[code] or {}
  counts[code] = of_code
  of_code[priority] = (of_code[priority] or 0) + (by or 1)
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
    for priority, by in pairs(of_code) do write_count(period, code, QUEUES[priority], by) end
  end
  if next(counts) then redis.call('PEXPIRE', period, PERIODS_KEPT) end
end
