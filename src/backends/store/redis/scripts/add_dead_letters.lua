-- Writes dead letters of messages that run no more: tasks that are over, run or have a later generation stay
-- as they are.
-- ARGV: milliseconds that dead letters are kept; then of each dead letter: id, generation, kind, priority,
-- whose, enqueued, attempt, letter, time of death, failure.
local FIELDS = 10
local retention = tonumber(ARGV[1])

-- The record, or the one that a message without one ought to have, unless it was withdrawn.
local function read_or_make(id, message)
  local record = read(id)
  if record or redis.call('EXISTS', withdrawn_key(id)) == 1 then return record end
  record = fresh(message)
  count(ENQUEUED, queue_of(record))
  return record
end

for i = 2, #ARGV, FIELDS do
  local id, generation, kind, priority, whose, enqueued, attempt, letter, died, failure =
    unpack(ARGV, i, i + FIELDS - 1)
  local record = read_or_make(id, {
    kind = kind,
    whose = whose,
    unique_key = '',
    priority = priority,
    generation = generation,
    attempt = attempt,
    enqueued = enqueued,
    expires = 0,
  })
  local is_waiting = record and not FINAL[record.state] and record.state ~= RUNNING
  if is_waiting and record.generation <= tonumber(generation) then
    leave(entry_of(id, record))
    add_dead_letter(id, died, letter, retention)
    record.generation = tonumber(generation)
    finish(id, record, DEAD, retention, { failure = failure })
  end
end
count_up()
