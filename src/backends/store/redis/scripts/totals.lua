-- Answers for each queue: enqueued, completed, retried, dead, cancelled, and of the last full minute: enqueued, finished.
local function sums(key, letters, into)
  for queue = 0, 5 do
    local fields = {}
    for letter in letters:gmatch('.') do fields[#fields + 1] = letter .. queue end
    for i, n in ipairs(redis.call('HMGET', key, unpack(fields))) do
      into[queue + 1][i] = (into[queue + 1][i] or 0) + tonumber(n or 0)
    end
  end
end
local all, minute = { {}, {}, {}, {}, {}, {} }, { {}, {}, {}, {}, {}, {} }
sums(TOTALS, 'ecrdx', all)
local bucket = math.floor(now / 10000)
for i = 1, 6 do sums(TOTALS .. ':' .. bucket - i, 'ef', minute) end
for queue = 1, 6 do
  all[queue][6], all[queue][7] = minute[queue][1], minute[queue][2]
end
return all
