-- ARGV: role and fence or '', entries to keep of a topic, then topic and entry of each.
local refusal = overtaken(ARGV[1], ARGV[2])
if refusal then return refusal end
local function append(topic, e)
  return redis.pcall('XADD', journal(topic), 'MAXLEN', '~', ARGV[3], '*', 'e', e)
end
for i = 4, #ARGV, 2 do
  local topic, e = ARGV[i], ARGV[i + 1]
  local added = append(topic, e)
  -- Somebody has put something else in the journal's place.
  if type(added) == 'table' and added.err:find('WRONGTYPE') then
    move_aside('j', topic, journal(topic))
    added = append(topic, e)
  end
  if type(added) == 'table' then return added end
end
