-- ARGV: id, the bytes that could not be read ('': no string). Unless they have changed meanwhile.
local v = redis.pcall('GET', task(ARGV[1]))
if type(v) == 'table' or v == ARGV[2] then set_aside(ARGV[1]) end
