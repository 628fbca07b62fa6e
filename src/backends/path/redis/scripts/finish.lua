-- Ends attempts, and with them their messages: what is given back waits again at the front of its queue, all
-- others are forgotten.
-- ARGV: what is kept how long; the ids of all attempts in one string; their settlements: see
-- `parts/endings.lua`; their counters, and of each which of these: see `parts/figures.lua`; in one string of
-- all: generation and number of the queue, from 1, or nothing where they are not known; then these queues.
-- Answers a string of '1' where the token was the latest, else '0'.
local MESSAGE_NAME_FORMAT = '>I4I2'
local MESSAGE_NAME_WIDTH = 6

local keep = { margin = tonumber(ARGV[1]), dead = tonumber(ARGV[2]), cancelled = ARGV[3] }
local ids = ARGV[4]
local settlements = ARGV[5]
local NAMES = 8
local names = ARGV[NAMES]

-- Entries of each queue.
local done = {}
local back = {}
local function add(lists, queue, an_entry)
  local list = lists[queue] or {}
  lists[queue] = list
  list[#list + 1] = an_entry
end

-- The record is gone, and the message is not: it runs again.
local function run_again(id, i)
  if names == '' or read(id) then return end
  local generation, number = struct.unpack(MESSAGE_NAME_FORMAT, names, (i - 1) * MESSAGE_NAME_WIDTH + 1)
  local queue = queue_named(ARGV[NAMES + number])
  local an_entry = entry(id, generation)
  if redis.call('HEXISTS', messages_key(queue), an_entry) == 1 then add(back, queue, an_entry) end
end

-- Answers what the worker is told, and where the settlement is over.
local function end_unusually(i, id, offset)
  local bytes = known[id]
  local token, code, number, one, two, three, after = struct.unpack(SETTLEMENT_FORMAT, settlements, offset)
  local record = settle(keep, id, token, code, number, one, two, three)
  if not record then
    run_again(id, i)
    uncount(i)
    return '0', after
  end
  local an_entry = id .. sub(bytes, GENERATION_OFFSET, ATTEMPT_OFFSET - 1)
  local waits_again = code == 'L' and record.state == QUEUED
  add(waits_again and back or done, queue_in(bytes), an_entry)
  return '1', after
end

local answer = {}
local offset = 1
local each, keys = read_ahead(ids)
for i, id in ipairs(each) do
  local after, queue, an_entry = complete(id, keys[i], settlements, offset)
  if after then
    answer[i] = '1'
    offset = after
    add(done, queue, an_entry)
  else
    answer[i], offset = end_unusually(i, id, offset)
  end
end
write_left()

local waiting = {}
for queue, entries in pairs(done) do waiting[queue] = forget_messages(queue, entries) end
for queue, entries in pairs(back) do
  table.sort(entries)
  put_first(queue, entries)
  waiting[queue] = true
end
for queue, is_new in pairs(waiting) do
  if is_new then ring(queue) end
end
announce()
count_up()
write_figures(ARGV[6], ARGV[7])
return table.concat(answer)
