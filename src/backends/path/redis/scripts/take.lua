-- Takes tasks off queues for a worker, most urgent and oldest first, and claims each. What is no message is set
-- aside; a message whose task is over is forgotten; one that another worker holds comes back later.
-- ARGV: worker; '1' where it may take over from a worker that is silent; milliseconds of such silence; blame
-- that a task bears without being poison; milliseconds that a cancelled record is kept; a number for this call;
-- how many tasks at most; then of each queue: its name, how many of it.
-- Answers in one string the entries of the tasks that run here, in another their tokens, and their messages; of
-- those that workers died with their position from 0, a code as in `parts/claims.lua`, and crashes; and the ids of
-- tasks whose dead owners still have leases, which were left on their queues.
local by = {
  me = ARGV[1],
  may_take_over = ARGV[2] == '1',
  quiet = tonumber(ARGV[3]),
  bearable = tonumber(ARGV[4]),
  kept = ARGV[5],
}
local ticket = tonumber(ARGV[6])
local room = tonumber(ARGV[7])
local FIRST_QUEUE = 8

local entries = {}
local tokens = {}
local values = {}
local orphans = {}
-- Of tasks that workers died with: position from 0, code and crashes.
local suspects = {}

-- What a record is written anew from, where it is gone.
local function message_of(message)
  local is_readable, body = pcall(cmsgpack.unpack, message.value:sub(MESSAGE_WIDTH + 1))
  local task = is_readable and type(body) == 'table' and body or {}
  message.kind = type(task.kind) == 'string' and task.kind or ''
  message.attempt = natural(task.attempt)
  local priority, enqueued, expires = struct.unpack(MESSAGE_FORMAT, message.value)
  message.priority = priority
  message.queue = type(task.queue) == 'string' and task.queue or nil
  message.enqueued = enqueued
  message.expires = expires
  return message
end

-- Claims a task whose record is the usual one, and answers the token, packed.
local claimer = struct.pack(TICKET_FORMAT, ticket) .. by.me
local function claim(id, key, an_entry)
  local bytes = known[id]
  if not bytes then return nil end
  local token = struct.pack(TOKEN_FORMAT, latest_token + 1)
  local running = begun(bytes, sub(an_entry, ENTRY_GENERATION_OFFSET), token, claimer)
  if not running then return nil end
  latest_token = latest_token + 1
  put_together(id, key, running)
  claimed[#claimed + 1] = id
  return token
end

-- What becomes of messages that do not run here, and of which priority they are.
local dropped = {}
local back = {}

local function hand_out(an_entry, value, token)
  local count = #entries + 1
  entries[count] = an_entry
  tokens[count] = token
  values[count] = value
  room = room - 1
end

local function dispose(an_entry, value, code, number)
  if code == 'O' then
    orphans[#orphans + 1] = id_of(an_entry)
    back[#back + 1] = an_entry
    return
  end
  if code == 'H' then enter(an_entry, now + number, value) end
  dropped[#dropped + 1] = an_entry
end

local function follow(an_entry, value, code, number, crashes)
  if code ~= 'R' and code ~= 'P' then return dispose(an_entry, value, code, number) end
  if crashes > 0 then suspects[#suspects + 1] = { #entries, code, crashes } end
  hand_out(an_entry, value, struct.pack(TOKEN_FORMAT, number))
end

local function take_one(id, key, an_entry, value)
  local token = claim(id, key, an_entry)
  if token then return hand_out(an_entry, value, token) end
  put_all()
  local generation = struct.unpack(ENTRY_GENERATION_FORMAT, an_entry, ENTRY_GENERATION_OFFSET)
  local message = { generation = generation, value = value }
  follow(an_entry, value, decide(by, id, message, ticket, message_of))
end

-- Up to so many messages from the front of a list: entries and values.
local function pop(queue, wanted)
  local popped = redis.call('RPOP', waiting_key(queue), wanted) or {}
  if #popped == 0 then return popped, popped end
  local found = redis.call('HMGET', messages_key(queue), unpack(popped))
  forget_again(queue, popped)
  return popped, found
end

local function pull(queue, most)
  local last = 0
  while most > 0 and room > 0 and last == 0 do
    local before = room
    local wanted = math.min(most, room)
    local popped, found = pop(queue, wanted)
    last = wanted - #popped
    local ids = {}
    for i, an_entry in ipairs(popped) do ids[i] = id_of(an_entry) end
    local keys = read_all(ids)
    for i, an_entry in ipairs(popped) do
      local value = found[i]
      if is_message(queue, an_entry, value) then
        take_one(ids[i], keys[i], an_entry, value)
      else
        set_message_aside(queue, an_entry, value)
      end
    end
    put_all()
    most = most - (before - room)
    if #dropped > 0 then forget_messages(queue, dropped) end
    dropped = {}
  end
  if #back > 0 then put_first(queue, back) end
  back = {}
  return most
end

for i = FIRST_QUEUE, #ARGV, 2 do pull(queue_named(ARGV[i]), tonumber(ARGV[i + 1])) end
for i = FIRST_QUEUE, #ARGV, 2 do ring(queue_named(ARGV[i])) end
if #claimed > 0 then write_claims(by.me) end
announce()
count_up()
return { table.concat(entries), table.concat(tokens), values, suspects, orphans }
