-- ARGV: role and fence or '', name, value, how long it is kept or '' for ever.
local refusal = overtaken(ARGV[1], ARGV[2])
if refusal then return refusal end
redis.call('SET', note(ARGV[3]), ARGV[4])
if ARGV[5] ~= '' then redis.call('PEXPIRE', note(ARGV[3]), ARGV[5]) end
redis.call('ZADD', NOTES, 0, ARGV[3])
