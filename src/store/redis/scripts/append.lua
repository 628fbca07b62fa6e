-- ARGV: role and fence or '', entries to keep of a topic, then topic and entry of each.
local refusal = overtaken(ARGV[1], ARGV[2])
if refusal then return refusal end
for i = 4, #ARGV, 2 do
  redis.call('XADD', journal(ARGV[i]), 'MAXLEN', '~', ARGV[3], '*', 'e', ARGV[i + 1])
end
