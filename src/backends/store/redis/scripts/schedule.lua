-- ARGV: of each message: entry, due, message. What waits for a worker's death comes soon when it has died meanwhile.
local SOON = 250
for i = 1, #ARGV, 3 do
  local e, at = ARGV[i], tonumber(ARGV[i + 1])
  local id = e:sub(1, 16)
  local r = at > now + SOON and read(id)
  if r and r.s == 'R' and entry(id, r.g) == e and lease_left(r.w) <= 0 then
    at = math.min(at, (buried(r) and math.max(r.d, now) or now) + SOON)
  end
  enter(e, at, ARGV[i + 2])
end
announce()
