-- Names. `n` is a priority, '0' to '6'. Lists are filled on the left and taken from on the right: the oldest is last.
local base = KEYS[1]
local function waiting(n) return base .. ':q:' .. n end           -- list of entries
local function bodies(n) return base .. ':m:' .. n end            -- hash entry -> message, while waiting or in flight
local function again(n) return base .. ':a:' .. n end             -- set of entries published again since they were taken
local function flight(n, worker) return base .. ':f:' .. n .. ':' .. worker end   -- set of what a worker holds
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

-- Whatever was published again of these is one message with what waits. The set is hardly ever there.
local function once(n, entries)
  if redis.call('EXISTS', again(n)) == 1 then slices(entries, function(...) redis.call('SREM', again(n), ...) end) end
end

-- Whether an entry and its value are a message of this priority. Its body is looked at by whoever runs it.
local function is_message(n, entry, value)
  return #entry == 20 and value and #value >= 17 and value:byte(1) == tonumber(n)
end

-- What is no message must cost itself alone: it is kept where the store keeps what cannot be read, and told of like that
-- (store/redis/scripts/opening.lua). Somebody has taken it out of its list.
local function set_aside(n, entry, value)
  redis.call('SET', base .. ':x:m:' .. entry, value or '', 'PX', 2592000000)
  redis.call('RPUSH', base .. ':xs', 'm' .. entry)
  redis.call('LTRIM', base .. ':xs', -10000, -1)
  redis.call('HDEL', bodies(n), entry)
  once(n, { entry })
end

-- Takes up to so many messages out of a list: their entries, and their values.
local function pull(n, left)
  local entries, values = {}, {}
  while left > 0 do
    local popped = redis.call('RPOP', waiting(n), left) or {}
    if #popped == 0 then break end
    local asked = left
    for i, value in ipairs(redis.call('HMGET', bodies(n), unpack(popped))) do
      if is_message(n, popped[i], value) then
        entries[#entries + 1], values[#values + 1] = popped[i], value
        left = left - 1
      else
        set_aside(n, popped[i], value)
      end
    end
    if #popped < asked then break end
  end
  return entries, values
end

-- Marks entries as being with a worker.
local function take(n, worker, entries)
  slices(entries, function(...) redis.call('SADD', flight(n, worker), ...) end)
  once(n, entries)
end

-- Entries that come in one string.
local function list(all)
  local entries = {}
  for at = 1, #all, 20 do entries[#entries + 1] = all:sub(at, at + 19) end
  return entries
end

-- Those of the entries that are with the worker, who holds them no more. The others went to somebody else.
local function part(n, worker, entries)
  local gone = {}
  for i, there in ipairs(redis.call('SMISMEMBER', flight(n, worker), unpack(entries))) do
    if there == 1 then gone[#gone + 1] = entries[i] end
  end
  slices(gone, function(...) redis.call('SREM', flight(n, worker), ...) end)
  return gone
end

-- Everything that a worker holds, oldest first: ids rise with time.
local function all(n, worker)
  local entries = redis.call('SMEMBERS', flight(n, worker))
  table.sort(entries)
  return entries
end

-- Puts entries, oldest first, before all that wait.
local function put_first(n, entries)
  local back = {}
  for i = #entries, 1, -1 do back[#back + 1] = entries[i] end
  slices(back, function(...) redis.call('RPUSH', waiting(n), ...) end)
end

-- Adds to the answer: a list of entries and one of their values, in the same order.
local function tell(answer, n, entries)
  if #entries > 0 then answer[#answer + 1] = { entries, redis.call('HMGET', bodies(n), unpack(entries)) } end
end
