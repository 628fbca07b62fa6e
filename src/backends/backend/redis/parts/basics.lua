-- Time and lists.

-- Clocks are the server's, in seconds and microseconds.
local time = redis.call('TIME')
local SECOND = 1000
local now = time[1] * SECOND + math.floor(time[2] / 1000)
local now_micros = time[1] * 1000000 + time[2]

-- A number that another program may have changed, as one that can be a time or a count.
local GREATEST = 9007199254740991
local function natural(value) return math.max(0, math.min(tonumber(value) or 0, GREATEST)) end

-- By a short way: scripts cut many texts.
local sub = string.sub

-- Lua's stack takes some 8,000 values at once.
local SLICE = 2000
local function slices(list, use)
  for from = 1, #list, SLICE do
    use(unpack(list, from, math.min(from + SLICE - 1, #list)))
  end
end

-- Pieces of this width, which come in one string.
local function pieces(all, width)
  local list = {}
  for from = 1, #all, width do
    list[#list + 1] = sub(all, from, from + width - 1)
  end
  return list
end
