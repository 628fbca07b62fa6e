-- Ends attempts: the outcome with its schedule entry or dead letter in one step.
-- ARGV: what is kept how long: see `parts/endings.lua`; the ids of all settlements in one string; and in
-- another of all: token, a code for the end, and four values that depend on it, each after its length.
-- Answers a string of '1' where the token was the latest, else '0'.
local keep = { margin = tonumber(ARGV[1]), dead = tonumber(ARGV[2]), cancelled = ARGV[3] }
local ids = ARGV[4]
local settlements = ARGV[5]

local answer = {}
local offset = 1
for i, id in ipairs(read_ahead(ids)) do
  local token, code, one, two, three, four, following =
    struct.unpack(SETTLEMENT_FORMAT, settlements, offset)
  local is_over = code == COMPLETION and complete(id, token, one, two)
    or settle(keep, id, token, code, one, two, three, four)
  answer[i] = is_over and '1' or '0'
  offset = following
end
write_left()
announce()
count_up()
return table.concat(answer)
