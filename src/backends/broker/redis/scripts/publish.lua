-- Adds messages to a queue; one whose entry is known is not added twice.
-- ARGV: queue, its limit; then entry and value of each message.
-- Answers the positions, from 1, of the messages for which there was no room.
local FIRST_MESSAGE = 3
local queue = queue_named(ARGV[1])
local entries = {}
local messages = {}
for i = FIRST_MESSAGE, #ARGV, 2 do
  entries[#entries + 1] = ARGV[i]
  messages[#messages + 1] = ARGV[i + 1]
end
return publish(queue, room_on(queue, tonumber(ARGV[2])), entries, messages)
