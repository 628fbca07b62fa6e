-- Tasks that came lately, the latest first.
-- ARGV: the step to begin with, and how many bytes of its ids, or '' and '' for the latest of all;
-- milliseconds that the list of what came is kept; how many ids are wanted.
-- Answers of each step: it, where its ids begin, and the ids in the order in which the tasks came. Fewer than
-- wanted: there are no others.
local step = ARGV[1] == '' and math.floor(now / RECENT_STEP) or tonumber(ARGV[1])
local stop = tonumber(ARGV[2])
local oldest = math.floor((now - ARGV[3]) / RECENT_STEP) + 1
local wanted = ARGV[4] * ENTRY_ID_WIDTH

local answer = {}
while step >= oldest and wanted > 0 do
  local length = redis.call('STRLEN', recent_key(step))
  length = math.min(length, stop or length)
  stop = nil
  if length > 0 then
    local from = math.max(0, length - wanted)
    answer[#answer + 1] = { step, from, redis.call('GETRANGE', recent_key(step), from, length - 1) }
    wanted = wanted - (length - from)
  end
  step = step - 1
end
return answer
