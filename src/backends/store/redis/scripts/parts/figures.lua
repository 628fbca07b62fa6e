-- What attempts add to the figures where their ends are accepted, in the window that is under way.
--
-- It comes in two strings: of each counter by how much all attempts of the call add to it, and its name after
-- its length; of each attempt the numbers of its counters, from 1, or 0 where it has fewer.
local COUNTER_FORMAT = '>I2I2c0'

-- The attempts whose ends were refused.
local uncounted = {}
local function uncount(i) uncounted[#uncounted + 1] = i end

-- By how much less each counter rises.
local function shortfalls(places)
  local short = {}
  for _, i in ipairs(uncounted) do
    local numbers = { struct.unpack(PLACES_FORMAT, places, (i - 1) * PLACES_WIDTH + 1) }
    for place = 1, PLACES do
      local number = numbers[place]
      short[number] = (short[number] or 0) + 1
    end
  end
  return short
end

local function write_figures(counters, places)
  if counters == '' then return end
  local short = places == '' and {} or shortfalls(places)
  local key = FIGURES .. FIGURES_WINDOW .. ':' .. string.format('%d', now - now % FIGURES_WINDOW)
  local is_full = redis.call('HLEN', key) >= MOST_COUNTERS
  local offset = 1
  local number = 0
  while offset <= #counters do
    local by, name
    by, name, offset = struct.unpack(COUNTER_FORMAT, counters, offset)
    number = number + 1
    by = by - (short[number] or 0)
    if by > 0 then
      if is_full and redis.call('HEXISTS', key, name) == 0 then name = WITHOUT_PLACE end
      redis.call('HINCRBY', key, name, by)
    end
  end
  redis.call('PEXPIRE', key, FIGURES_KEPT)
end
