-- ARGV: margin, how long dead letters are kept, how long cancelled records are, the ids of all settlements in one string, then
-- in another of all: token, end, and four values that depend on the end, each after its length. Answers a string of '1' where
-- the token was the latest, else '0'.
local SETTLEMENT = '>I8c1I4c0I4c0I4c0I4c0'
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
  r.s, r.b, r.d, r.q = 'Q', 0, 0, WANTED
  write_queued(id, r, margin)
end

local answer, settled = {}, {}
local function left(owner, id)
  settled[owner] = settled[owner] or {}
  table.insert(settled[owner], id)
end

local function settle(id, token, letter, ...)
  local r = read(id)
  if not r or r.s ~= 'R' or r.t ~= token then return '0' end
  left(r.w, id)
  ends[letter](id, r, ...)
  return '1'
end

local list, at, finished = ARGV[5], 1, struct.pack('>I8', now)
for _, id in ipairs(read_ahead(ARGV[4])) do
  local token, letter, one, two, three, four, following = struct.unpack(SETTLEMENT, list, at)
  local v, priority, owner
  if letter == 'C' and held[id] then v, priority, owner = usual(completed, held[id], token, finished, one) end
  if v then
    left(owner, id)
    put(id, v, 'PXAT', forget_at(two))
    count('c', priority)
    answer[#answer + 1] = '1'
  else
    answer[#answer + 1] = settle(id, token, letter, one, two, three, four)
  end
  at = following
end
for owner, ids in pairs(settled) do redis.call('SREM', claims(owner), unpack(ids)) end
announce()
count_up()
return table.concat(answer)
