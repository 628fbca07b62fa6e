-- Writes a note.
-- ARGV: role and fence, or '' and ''; name, value, milliseconds that it is kept or '' for ever.
-- Answers nothing, or FENCED where another one leads by now.
local refusal = overtaken(ARGV[1], ARGV[2])
if refusal then return refusal end
local name = ARGV[3]
local value = ARGV[4]
local kept = ARGV[5]
redis.call('SET', note_key(name), value)
if kept ~= '' then redis.call('PEXPIRE', note_key(name), kept) end
redis.call('ZADD', NOTES, 0, name)
