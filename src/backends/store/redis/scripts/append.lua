-- Appends entries to journals. A journal whose key holds a value of another type is begun anew.
-- ARGV: role and fence, or '' and ''; then topic, entries to keep of it, and the entry, of each.
-- Answers nothing, or an error: FENCED where another one leads by now.
local refusal = overtaken(ARGV[1], ARGV[2])
if refusal then return refusal end

local function append(topic, kept, text)
  return redis.pcall('XADD', journal_key(topic), 'MAXLEN', '~', kept, '*', 'e', text)
end

for i = 3, #ARGV, 3 do
  local topic = ARGV[i]
  local kept = ARGV[i + 1]
  local text = ARGV[i + 2]
  local added = append(topic, kept, text)
  if is_wrong_type(added) then
    set_key_aside('j', topic, journal_key(topic))
    added = append(topic, kept, text)
  end
  if type(added) == 'table' then return added end
end
