-- Adds lines to the logs of attempts.
-- ARGV: bytes of each log at most; milliseconds that it is kept; of how many attempts of a task; then ids, attempts and
-- lines.
local most = tonumber(ARGV[1])
local kept = ARGV[2]
local attempts = tonumber(ARGV[3])

-- The latest whole lines that have room.
local function latest(lines)
  local surplus = #lines - most
  if surplus <= 0 then return lines end
  local ends = lines:find('\n', surplus, true)
  return ends and lines:sub(ends + 1) or ''
end

for i = 4, #ARGV, 3 do
  local key = logs_key(ARGV[i])
  local attempt = ARGV[i + 1]
  local lines = (redis.call('HGET', key, attempt) or '') .. ARGV[i + 2]
  redis.call('HSET', key, attempt, latest(lines))
  redis.call('PEXPIRE', key, kept)
  if redis.call('HLEN', key) > attempts then
    for _, before in ipairs(redis.call('HKEYS', key)) do
      if tonumber(before) <= tonumber(attempt) - attempts then redis.call('HDEL', key, before) end
    end
  end
end
