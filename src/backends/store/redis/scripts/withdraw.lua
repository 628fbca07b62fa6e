-- ARGV: margin, then of each task: id, until when its message may turn up ('' where none was sent).
-- Takes tasks back. Answers in one string for each: d done, t too late, w somebody else answers for it.
local margin = tonumber(ARGV[1])
local answer = {}

local function withdraw(id, r)
  leave(entry(id, r.g))
  redis.call('DEL', task(id))
  local key = key_of(r)
  if key and redis.call('GET', unique(key)) == id then redis.call('DEL', unique(key)) end
  count('e', r.p, -1)
end

local function judge(id, till)
  local r = read(id)
  if r and (r.s ~= 'Q' and r.s ~= 'S' or r.g > 0) then return 't' end
  if r and r.q == WANTED then return 'w' end
  if r then withdraw(id, r) end
  if till ~= '' then redis.call('SET', withdrawn(id), '', 'PXAT', math.max(tonumber(till), now) + margin) end
  return 'd'
end

for i = 2, #ARGV, 2 do answer[#answer + 1] = judge(ARGV[i], ARGV[i + 1]) end
count_up()
return table.concat(answer)
