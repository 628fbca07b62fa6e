-- Appends entries to journals. A journal whose key holds a value of another type is begun anew.
-- ARGV: role and fence, or '' and ''; entries to keep of a topic; then topic and entry of each.
-- Answers nothing, or an error: FENCED where another one leads by now.
local refusal = overtaken(ARGV[1], ARGV[2])
if refusal then return refusal end
local kept = ARGV[3]

local function append(topic, text)
  return redis.pcall('XADD', journal_key(topic), 'MAXLEN', '~', kept, '*', 'e', text)
end

for i = 4, #ARGV, 2 do
  local topic = ARGV[i]
  local text = ARGV[i + 1]
  local added = append(topic, text)
  if is_wrong_type(added) then
    set_key_aside('j', topic, journal_key(topic))
    added = append(topic, text)
  end
  if type(added) == 'table' then return added end
end
