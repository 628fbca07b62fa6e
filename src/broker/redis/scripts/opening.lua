-- Names. `n` is a priority, '0' to '6'. Lists are filled on the left and taken from on the right: the oldest is last.
local base = KEYS[1]
local function waiting(n) return base .. ':q:' .. n end           -- list of entries
local function bodies(n) return base .. ':m:' .. n end            -- hash entry -> message, while waiting or in flight
local function held(n) return base .. ':h:' .. n end              -- hash entry -> '1' if it was published again meanwhile
local function flight(n, worker) return base .. ':f:' .. n .. ':' .. worker end   -- list of what a worker holds
local function bell(queue) return base .. ':bell:' .. queue end   -- list of at most one token that wakes one consumer

-- Lua's stack takes some 8,000 values at once.
local function slices(list, f)
  for from = 1, #list, 2000 do
    f(unpack(list, from, math.min(from + 1999, #list)))
  end
end

-- The bell holds a token whenever something waits. A consumer that took the token and leaves something behind rings
-- for the next one, so one token wakes as many as are needed.
local function ring(queue, priorities)
  for n in priorities:gmatch('%d') do
    if redis.call('EXISTS', waiting(n)) == 1 then
      if redis.call('EXISTS', bell(queue)) == 0 then redis.call('LPUSH', bell(queue), '1') end
      return
    end
  end
  redis.call('DEL', bell(queue))
end

-- Marks entries as being with a worker.
local function take(n, worker, entries)
  slices(entries, function(...) redis.call('LPUSH', flight(n, worker), ...) end)
  local marks = {}
  for _, entry in ipairs(entries) do
    marks[#marks + 1] = entry
    marks[#marks + 1] = '0'
  end
  slices(marks, function(...) redis.call('HSET', held(n), ...) end)
end

-- Adds priority, entry and value of each to the answer.
local function tell(answer, n, entries)
  if #entries == 0 then return end
  local values = redis.call('HMGET', bodies(n), unpack(entries))
  for i, entry in ipairs(entries) do
    answer[#answer + 1] = { n, entry, values[i] or '' }
  end
end
