-- The usual steps of a task, made on the packed record as it is, without a table of its fields: what changes
-- is put between what does not. They answer nil where the step is not the usual one, or the bytes are no
-- record. A text that Lua has not seen yet costs more than a number, so what is only compared is unpacked.

-- What follows the expiry of a record that begins now.
local STARTED_NOW = struct.pack(STARTED_FORMAT, now) .. FINISHED_NONE .. DUE_NONE
local UNTOUCHED_FORMAT = '>BBBBBBI4I4I4'
local QUEUED_BYTE = QUEUED:byte()
local RUNNING_BYTE = RUNNING:byte()

-- From its queue to a worker: the task has no unique key, told nothing, and no worker died with it. Takes the
-- generation as a number, and token and ticket packed.
local function begun(bytes, generation, token, ticket, worker)
  if #bytes < TAIL_OFFSET then return nil end
  local state, _, _, has_key, has_progress, _, its, _, crashes = struct.unpack(UNTOUCHED_FORMAT, bytes)
  if state ~= QUEUED_BYTE or has_key ~= NO or has_progress ~= NO then return nil end
  if its ~= generation or crashes ~= 0 then return nil end
  return RUNNING
    .. CANCEL_ASKED_NONE
    .. bytes:sub(AWAITED_OFFSET, STARTED_OFFSET - 1)
    .. STARTED_NOW
    .. token
    .. ticket
    .. worker
    .. bytes:sub(TAIL_OFFSET)
end

-- From the worker with this token to its end: no caller waits for the task, it has no unique key, told
-- nothing and failed never, so that all its values from the unique key on are lengths of 0. Takes the token as
-- a number. Answers priority and worker as well.
local NOTHING_TOLD = (TAIL_VALUES - UNIQUE_KEY_VALUE + 1) * LENGTH_WIDTH
local BEFORE_RESULT = (RESULT_VALUE - UNIQUE_KEY_VALUE) * LENGTH_WIDTH
local AFTER_RESULT = ('\0'):rep((TAIL_VALUES - RESULT_VALUE) * LENGTH_WIDTH)
-- What follows the start of a record that ends now.
local FINISHED_NOW = struct.pack(FINISHED_FORMAT, now) .. DUE_NONE .. TOKEN_NONE .. TICKET_NONE .. WORKER_NONE
local function completed(bytes, token, result)
  if #bytes < TAIL_OFFSET then return nil end
  local state, _, awaited, has_key, has_progress, priority = bytes:byte(STATE_OFFSET, PRIORITY_OFFSET)
  if state ~= RUNNING_BYTE or awaited ~= NO or has_key ~= NO or has_progress ~= NO then return nil end
  if struct.unpack(TOKEN_FORMAT, bytes, TOKEN_OFFSET) ~= token then return nil end
  local told_offset = value_offset(bytes, UNIQUE_KEY_VALUE)
  if not told_offset or told_offset + NOTHING_TOLD ~= #bytes + 1 then return nil end
  local changed = COMPLETED
    .. CANCEL_ASKED_NONE
    .. bytes:sub(AWAITED_OFFSET, FINISHED_OFFSET - 1)
    .. FINISHED_NOW
    .. bytes:sub(TAIL_OFFSET, told_offset + BEFORE_RESULT - 1)
    .. struct.pack(LENGTH_FORMAT, #result)
    .. result
    .. AFTER_RESULT
  return changed, priority, bytes:sub(WORKER_OFFSET, TAIL_OFFSET - 1)
end
