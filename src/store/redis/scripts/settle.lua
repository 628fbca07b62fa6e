-- ARGV: margin, how long dead letters are kept, how long cancelled records are, then of each settlement: id, token, end,
-- and five values that depend on the end. Answers 1 where the token was the latest.
local margin, retention, span = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]

local ends = {}

-- result, keep
function ends.C(id, r, result, kept)
  finish(id, r, 'C', kept, 'r', result)
end

-- generation, due, message, failure
function ends.R(id, r, g, at, message, failure)
  redis.call('HINCRBY', task(id), 'a', 1)
  if r.z then return finish(id, r, 'X', span, 'F', failure) end
  redis.call('HSET', task(id), 's', 'S', 'g', g, 'd', at, 'F', failure)
  redis.call('HDEL', task(id), 'w', 't', 'm')
  enter(entry(id, g), at, message)
  count('r', r.p)
end

-- letter, time of death, failure, '1' when the attempt failed and not the task's time or its workers
function ends.D(id, r, letter, died, failure, failed)
  redis.call('HINCRBY', task(id), 'a', failed)
  bury(id, died, letter, retention)
  finish(id, r, 'D', retention, 'F', failure)
end

function ends.X(id, r)
  finish(id, r, 'X', span)
end

-- Given back, as if it had never been claimed.
function ends.L(id, r)
  if r.z then return finish(id, r, 'X', span) end
  redis.call('HSET', task(id), 's', 'Q')
  redis.call('HDEL', task(id), 'w', 't', 'm', 'b')
  forget_at(id, r.u, r.x, margin)
end

local answer, settled = {}, {}
for i = 4, #ARGV, 8 do
  local id = ARGV[i]
  local r = read(id)
  local latest = r and r.s == 'R' and r.t == ARGV[i + 1]
  if latest then
    ends[ARGV[i + 2]](id, r, unpack(ARGV, i + 3, i + 7))
    settled[r.w] = settled[r.w] or {}
    table.insert(settled[r.w], id)
  end
  answer[#answer + 1] = latest and 1 or 0
end
for owner, ids in pairs(settled) do redis.call('SREM', claims(owner), unpack(ids)) end
announce()
count_up()
return answer
