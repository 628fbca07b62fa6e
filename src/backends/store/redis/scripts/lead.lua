-- Takes or keeps the lead in a role, unless another process has it. The fence rises with each change.
-- ARGV: role, who, lease in milliseconds. Answers the fence, or 0 while another process leads.
local key = leader_key(ARGV[1])
local candidate = ARGV[2]
local lease = ARGV[3]
local leader, fence, till = unpack(redis.call('HMGET', key, 'h', 'n', 'u'))
fence = natural(fence)
if (tonumber(till) or 0) > now then
  if leader ~= candidate then return 0 end
else
  fence = fence + 1
end
redis.call('HSET', key, 'h', candidate, 'n', fence, 'u', now + lease)
return fence
