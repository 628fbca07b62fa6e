-- ARGV: role, fence, margin, entries. An entry scheduled again since it was handed out stays: it is another reminder.
local refusal = overtaken(ARGV[1], ARGV[2])
if refusal then return refusal end
local margin = tonumber(ARGV[3])
for i = 4, #ARGV do
  local e = ARGV[i]
  if redis.call('HEXISTS', HANDED, e) == 1 then
    leave(e)
    local id = e:sub(1, 16)
    local r = read(id)
    if r and r.s == 'S' and entry(id, r.g) == e then
      r.s, r.d = 'Q', 0
      write_queued(id, r, margin)
    end
  end
end
