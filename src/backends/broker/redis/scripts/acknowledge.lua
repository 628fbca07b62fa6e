-- Messages are done with: they are forgotten, apart from those that were published again while the worker
-- held them, which wait anew.
-- ARGV: worker, priority, queue, the queue's priorities, all entries in one string.
-- Answers how many of them the worker held.
local priority = ARGV[2]
local gone = take_away(priority, ARGV[1], pieces(ARGV[5], ENTRY_WIDTH))
if #gone == 0 then return 0 end

local done = gone
local back = {}
local again = again_key(priority)
if redis.call('EXISTS', again) == 1 then
  done = {}
  for i, is_again in ipairs(redis.call('SMISMEMBER', again, unpack(gone))) do
    local list = is_again == 1 and back or done
    list[#list + 1] = gone[i]
  end
end
slices(done, function(...) redis.call('HDEL', messages_key(priority), ...) end)
if #back > 0 then
  forget_again(priority, back)
  slices(back, function(...) redis.call('LPUSH', waiting_key(priority), ...) end)
  ring(ARGV[3], ARGV[4])
end
return #gone
