-- Takes dead letters out, and schedules the messages that come in their place for now.
-- ARGV: of each message: id, generation, kind, priority, whose, unique key or '', enqueued, expires, attempt,
-- message.
-- Answers how many letters were taken out, and how many stay because another task has their unique key.
local FIELDS = 10
-- What tells the task apart from another one of its id stays with it.
local function marked(id, whose)
  local record = read(id)
  local mark = record and unpack_tail(record.tail).whose:match('^[^\30]*(\29[^\30]*)')
  return mark and whose:gsub('^[^\30]*', '%0' .. mark, 1) or whose
end

local taken = 0
local kept = 0
for i = 1, #ARGV, FIELDS do
  local id, generation, kind, priority, whose, unique_key, enqueued, expires, attempt, message =
    unpack(ARGV, i, i + FIELDS - 1)
  if unique_key ~= '' and holder(unique_key) then
    if redis.call('ZSCORE', DEAD_TASKS, id) then kept = kept + 1 end
  elseif remove_dead_letter(id) then
    taken = taken + 1
    if unique_key ~= '' then redis.call('SET', holder_key(unique_key), id) end
    local record = fresh({
      kind = kind,
      whose = marked(id, whose),
      unique_key = unique_key,
      priority = priority,
      generation = generation,
      attempt = attempt,
      enqueued = enqueued,
      expires = expires,
    })
    record.state = SCHEDULED
    record.due = now
    write(id, record)
    enter(entry(id, generation), now, message)
  end
end
announce()
return { taken, kept }
