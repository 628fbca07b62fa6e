-- Ends attempts: the outcome with its schedule entry or dead letter in one step.
-- ARGV: what is kept how long; the ids of all settlements in one string; the settlements: see
-- `parts/endings.lua`; their counters, and of each which of these: see `parts/figures.lua`.
-- Answers a string of '1' where the token was the latest, else '0'.
local keep = { margin = tonumber(ARGV[1]), dead = tonumber(ARGV[2]), cancelled = ARGV[3] }
local ids = ARGV[4]
local settlements = ARGV[5]

local answer = {}
local offset = 1
local each, keys = read_ahead(ids)
for i, id in ipairs(each) do
  local is_over = true
  local following = complete(id, keys[i], settlements, offset)
  if not following then
    local token, code, number, one, two, three, after = struct.unpack(SETTLEMENT_FORMAT, settlements, offset)
    is_over = settle(keep, id, token, code, number, one, two, three)
    following = after
    if not is_over then uncount(i) end
  end
  answer[i] = is_over and '1' or '0'
  offset = following
end
write_left()
announce()
count_up()
write_figures(ARGV[6], ARGV[7])
return table.concat(answer)
