-- Compares what a worker holds with what it knows of.
-- ARGV: worker; '1' where it wants to see all entries; then of each queue of which it knows some: the queue, and
-- how many entries.
-- Answers of each queue of which the worker holds another number, or all: the queue, and the entries.
local worker = ARGV[1]
local is_whole = ARGV[2] == '1'
local known = {}
for i = 3, #ARGV, 2 do known[queue_named(ARGV[i])] = tonumber(ARGV[i + 1]) end

local answer = {}
for _, queue in ipairs(used_queues()) do
  local held = held_key(queue, worker)
  if is_whole or redis.call('SCARD', held) ~= (known[queue] or 0) then
    answer[#answer + 1] = { tostring(queue), redis.call('SMEMBERS', held) }
  end
end
return answer
