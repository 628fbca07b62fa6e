-- ARGV: margin, how long dead letters are kept, how long cancelled records are, then in one string of all settlements:
-- id, token, end, and four values that depend on the end, each after its length. Answers a string of '1' where the token was
-- the latest, else '0'.
local SETTLEMENT = '>c16I8c1I4c0I4c0I4c0I4c0'
local margin, retention, span = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]

local ends = {}

-- result, keep
function ends.C(id, r, result, kept)
  finish(id, r, 'C', kept, result)
end

-- generation, due, message, failure
function ends.R(id, r, g, at, message, failure)
  r.a = r.a + 1
  if r.z then return finish(id, r, 'X', span, nil, failure) end
  let_go(r)
  tell(r, nil, nil, failure)
  r.s, r.g, r.d = 'S', tonumber(g), tonumber(at)
  write(id, r)
  enter(entry(id, g), at, message)
  count('r', r.p)
end

-- letter, time of death, failure, '1' when the attempt failed and not the task's time or its workers
function ends.D(id, r, letter, died, failure, failed)
  r.a = r.a + tonumber(failed)
  bury(id, died, letter, retention)
  finish(id, r, 'D', retention, nil, failure)
end

function ends.X(id, r)
  finish(id, r, 'X', span)
end

-- Given back, as if it had never been claimed.
function ends.L(id, r)
  if r.z then return finish(id, r, 'X', span) end
  let_go(r)
  r.s, r.b = 'Q', 0
  write_queued(id, r, margin)
end

local answer, settled = {}, {}
local settlements, at = ARGV[4], 1
while at <= #settlements do
  local id, token, letter, one, two, three, four
  id, token, letter, one, two, three, four, at = struct.unpack(SETTLEMENT, settlements, at)
  local r = read(id)
  local latest = r and r.s == 'R' and r.t == token
  if latest then
    settled[r.w] = settled[r.w] or {}
    table.insert(settled[r.w], id)
    ends[letter](id, r, one, two, three, four)
  end
  answer[#answer + 1] = latest and '1' or '0'
end
for owner, ids in pairs(settled) do redis.call('SREM', claims(owner), unpack(ids)) end
announce()
count_up()
return table.concat(answer)
