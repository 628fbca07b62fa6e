-- ARGV: role, who, lease. Answers the fence, or 0 while somebody else leads.
local key = base .. ':l:' .. ARGV[1]
local v = redis.call('HMGET', key, 'h', 'n', 'u')
local number = natural(v[2])
if (tonumber(v[3]) or 0) > now then
  if v[1] ~= ARGV[2] then return 0 end
else
  number = number + 1
end
redis.call('HSET', key, 'h', ARGV[2], 'n', number, 'u', now + ARGV[3])
return number
