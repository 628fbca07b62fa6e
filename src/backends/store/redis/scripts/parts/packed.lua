-- The usual steps of a task, made on the packed record as it is, without a table of its fields: what changes
-- is put between what does not. They answer nil where the step is not the usual one, or the bytes are no
-- record. A part that many records have alike is taken apart once: Lua finds what it knows of a text at once,
-- and every text that it has not seen yet costs more than a number.

-- What `look` says of a text, which may be nothing. Once it is known, `looks` has it.
local function look_at(looks, text, look)
  local found = look(text) or false
  looks[text] = found
  return found
end

-- What comes before a record's times, of a task that waits on its queue, has no unique key, told nothing, and
-- with which no worker died: its generation, packed, and what comes there once it runs.
local BEFORE_TIMES_FORMAT = '>c1BBBBBc4I4I4'
local function untouched(start)
  local state, _, _, has_key, has_progress, _, generation, _, crashes =
    struct.unpack(BEFORE_TIMES_FORMAT, start)
  local is_untouched = state == QUEUED and has_key == NO and has_progress == NO and crashes == 0
  if not is_untouched then return nil end
  return { generation = generation, running = RUNNING .. CANCEL_ASKED_NONE .. start:sub(AWAITED_OFFSET) }
end

-- From its queue to a worker. Takes generation and token packed, and ticket and worker in one.
local QUEUED_RECORD_FORMAT = '>c' .. ENQUEUED_OFFSET - 1 .. 'c' .. STARTED_OFFSET - ENQUEUED_OFFSET
local STARTED_NOW = struct.pack(STARTED_FORMAT, now) .. FINISHED_NONE .. DUE_NONE
local starts = {}
local function begun(bytes, generation, token, claimer)
  if #bytes < TAIL_OFFSET then return nil end
  local start, times = struct.unpack(QUEUED_RECORD_FORMAT, bytes)
  local waits = starts[start]
  if waits == nil then waits = look_at(starts, start, untouched) end
  if not waits or waits.generation ~= generation then return nil end
  return waits.running .. times .. STARTED_NOW .. token .. claimer .. sub(bytes, TAIL_OFFSET)
end

-- What a record begins with, up to its generation, of a task that runs, for which no caller waits, and which
-- has no unique key and told nothing: its priority, and what comes there once it is over.
local RUNNING_BYTE = RUNNING:byte()
local function unawaited(flags)
  local state, _, awaited, has_key, has_progress, priority = flags:byte(1, -1)
  local is_unawaited = state == RUNNING_BYTE and awaited == NO and has_key == NO and has_progress == NO
  if not is_unawaited then return nil end
  return { priority = priority, completed = COMPLETED .. CANCEL_ASKED_NONE .. flags:sub(AWAITED_OFFSET) }
end

-- The values of a task that has no unique key, told nothing and failed never, so that from there on all are
-- lengths of 0: those before its result, and the queue where that is a user's own.
local NOTHING_TOLD = (TAIL_VALUES - UNIQUE_KEY_VALUE + 1) * LENGTH_WIDTH
local BEFORE_RESULT = (RESULT_VALUE - UNIQUE_KEY_VALUE) * LENGTH_WIDTH
local AFTER_RESULT = ('\0'):rep((TAIL_VALUES - RESULT_VALUE) * LENGTH_WIDTH)
local function untold(tail)
  local told_offset = value_offset(tail, UNIQUE_KEY_VALUE, 1)
  if not told_offset or told_offset + NOTHING_TOLD ~= #tail + 1 then return nil end
  return { before = tail:sub(1, told_offset + BEFORE_RESULT - 1), queue = own_queue(tail) }
end

-- From the worker with this token to its end. Takes the token packed, and the result after its length.
-- Answers queue, generation, packed, and worker as well.
local RUNNING_RECORD_FORMAT = '>c' .. GENERATION_OFFSET - 1
  .. 'c' .. GENERATION_WIDTH
  .. 'c' .. FINISHED_OFFSET - ATTEMPT_OFFSET
  .. 'c' .. TOKEN_OFFSET - FINISHED_OFFSET
  .. 'c' .. TOKEN_WIDTH
  .. 'c' .. TICKET_WIDTH
  .. 'c' .. WORKER_WIDTH
local FINISHED_NOW = struct.pack(FINISHED_FORMAT, now) .. DUE_NONE .. TOKEN_NONE .. TICKET_NONE .. WORKER_NONE
local flags_of = {}
local tails = {}
local function completed(bytes, token, result)
  if #bytes < TAIL_OFFSET then return nil end
  local flags, generation, times, _, its, _, worker = struct.unpack(RUNNING_RECORD_FORMAT, bytes)
  if its ~= token then return nil end
  local runs = flags_of[flags]
  if runs == nil then runs = look_at(flags_of, flags, unawaited) end
  local tail = sub(bytes, TAIL_OFFSET)
  local values = tails[tail]
  if values == nil then values = look_at(tails, tail, untold) end
  if not runs or not values then return nil end
  local over = runs.completed .. generation .. times .. FINISHED_NOW .. values.before .. result .. AFTER_RESULT
  return over, values.queue or runs.priority, generation, worker
end
