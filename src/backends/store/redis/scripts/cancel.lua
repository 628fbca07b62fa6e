-- ARGV: id, how long a cancelled record is kept. Answers the state that was found, or ''.
local id = ARGV[1]
local r = read(id)
if not r then return '' end
local found = r.s
if found == 'R' then
  r.z = true
  write(id, r, 'KEEPTTL')
  order(r.w, 'c', id)
elseif not FINAL[found] then
  leave(entry(id, r.g))
  finish(id, r, 'X', ARGV[2])
  count_up()
end
return found
