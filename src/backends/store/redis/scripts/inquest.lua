-- ARGV: worker, or '' for the one that ran a task; that task; '1' to end its lease. A stranger stays one.
-- Answers the time, the worker's last beat, and in one string what it runs, of each task: id, token, start, crashes,
-- suspicion, and 1 where this death is known already.
local me, id = ARGV[1], ARGV[2]
local ids = {}
if me == '' then
  local r = read(id)
  if not r or r.s ~= 'R' then return { now, now, '' } end
  me, ids[1] = r.w, id
end
if ARGV[3] == '1' and redis.call('EXISTS', worker(me)) == 1 then redis.call('HSET', worker(me), 'l', '0') end
for _, claimed in ipairs(redis.call('SMEMBERS', claims(me))) do
  if claimed ~= ids[1] then ids[#ids + 1] = claimed end
end
local rows = {}
for _, claimed in ipairs(ids) do
  local r = read(claimed)
  if r and r.s == 'R' and r.w == me then
    rows[#rows + 1] = struct.pack('>c16I8I8I4I4B', claimed, r.t, r.b, r.c, suspicion(claimed, r), bit(buried(r)))
  end
end
return { now, tonumber(redis.call('HGET', worker(me), 'y')) or now, table.concat(rows) }
