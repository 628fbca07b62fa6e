-- The usual steps of a task, made on the packed record as it is, without a table of its fields: what changes
-- is put between what does not. They answer nil where the step is not the usual one, or the bytes are no
-- record.

-- From its queue to a worker: the task has no unique key, told nothing, and no worker died with it. Numbers
-- come packed.
local function begun(bytes, generation, started, token, ticket, worker)
  if bytes:sub(STATE_OFFSET, CANCEL_ASKED_OFFSET - 1) ~= QUEUED then return nil end
  if bytes:byte(HAS_KEY_OFFSET) ~= NO or bytes:byte(HAS_PROGRESS_OFFSET) ~= NO then return nil end
  if bytes:sub(GENERATION_OFFSET, ATTEMPT_OFFSET - 1) ~= generation then return nil end
  if bytes:sub(CRASHES_OFFSET, ENQUEUED_OFFSET - 1) ~= CRASHES_NONE then return nil end
  return RUNNING
    .. CANCEL_ASKED_NONE
    .. bytes:sub(AWAITED_OFFSET, STARTED_OFFSET - 1)
    .. started
    .. bytes:sub(FINISHED_OFFSET, DUE_OFFSET - 1)
    .. DUE_NONE
    .. token
    .. ticket
    .. worker
    .. bytes:sub(TAIL_OFFSET)
end

-- From the worker with this token to its end: no caller waits for the task, it has no unique key, told
-- nothing and failed never, so that all its values from the unique key on are lengths of 0. Answers priority
-- and worker as well.
local NOTHING_TOLD = (TAIL_VALUES - UNIQUE_KEY_VALUE + 1) * LENGTH_WIDTH
local BEFORE_RESULT = (RESULT_VALUE - UNIQUE_KEY_VALUE) * LENGTH_WIDTH
local function completed(bytes, token, finished, result)
  if bytes:sub(STATE_OFFSET, CANCEL_ASKED_OFFSET - 1) ~= RUNNING then return nil end
  if bytes:byte(AWAITED_OFFSET) ~= NO or bytes:byte(HAS_KEY_OFFSET) ~= NO then return nil end
  if bytes:byte(HAS_PROGRESS_OFFSET) ~= NO then return nil end
  if bytes:sub(TOKEN_OFFSET, TICKET_OFFSET - 1) ~= token then return nil end
  local told_offset = value_offset(bytes, UNIQUE_KEY_VALUE)
  if not told_offset or told_offset + NOTHING_TOLD ~= #bytes + 1 then return nil end
  local result_offset = told_offset + BEFORE_RESULT
  local changed = COMPLETED
    .. CANCEL_ASKED_NONE
    .. bytes:sub(AWAITED_OFFSET, FINISHED_OFFSET - 1)
    .. finished
    .. DUE_NONE
    .. TOKEN_NONE
    .. TICKET_NONE
    .. WORKER_NONE
    .. bytes:sub(TAIL_OFFSET, result_offset - 1)
    .. struct.pack(LENGTH_FORMAT, #result)
    .. result
    .. bytes:sub(result_offset + LENGTH_WIDTH)
  return changed, bytes:byte(PRIORITY_OFFSET), bytes:sub(WORKER_OFFSET, TAIL_OFFSET - 1)
end
