-- Decides for each delivered message whether its task runs here.
-- ARGV: worker; '1' where it may take over from a worker that is silent; milliseconds of such silence; blame
-- that a task bears without being poison; milliseconds that a cancelled record is kept; the ids of all claims
-- in one string; and in another of all claims: generation, ticket, length of kind, priority, attempt,
-- enqueued, expires, kind.
-- Answers in one string for each: a code, a number and crashes, as in `parts/claims.lua`.
local CLAIM_FORMAT = '>I4I4I2BI4I8I8'
local CLAIM_WIDTH = 31
-- The same without what the usual step does not need, and with the numbers packed.
local CLAIM_START_FORMAT = '>c4c4I2'

local by = {
  me = ARGV[1],
  may_take_over = ARGV[2] == '1',
  quiet = tonumber(ARGV[3]),
  bearable = tonumber(ARGV[4]),
  kept = ARGV[5],
}
local me = by.me
local ids = ARGV[6]
local claims = ARGV[7]

local outcomes = {}
local function say(code, number, crashes)
  outcomes[#outcomes + 1] = struct.pack(OUTCOME_FORMAT, code, number, crashes)
end

local function message_of(message) return message end

local function decide_claim(id, claim, kind)
  local generation, ticket, _, priority, attempt, enqueued, expires = struct.unpack(CLAIM_FORMAT, claim)
  local message = {
    generation = generation,
    kind = kind,
    priority = priority,
    attempt = attempt,
    enqueued = enqueued,
    expires = expires,
  }
  say(decide(by, id, message, ticket, message_of))
end

local offset = 1
local each, keys = read_ahead(ids)
for i, id in ipairs(each) do
  local generation, ticket, kind_length = struct.unpack(CLAIM_START_FORMAT, claims, offset)
  local kind_offset = offset + CLAIM_WIDTH
  local bytes = known[id]
  local token = struct.pack(TOKEN_FORMAT, latest_token + 1)
  local running = bytes and begun(bytes, generation, token, ticket .. me)
  if running then
    latest_token = latest_token + 1
    say('R', latest_token, 0)
    put_together(id, keys[i], running)
    claimed[#claimed + 1] = id
  else
    put_all()
    local kind = claims:sub(kind_offset, kind_offset + kind_length - 1)
    decide_claim(id, claims:sub(offset, kind_offset - 1), kind)
  end
  offset = kind_offset + kind_length
end
put_all()
write_claims(me)
count_up()
return table.concat(outcomes)
