-- The names of all keys. A script gets one key, the base of all names, and makes the others from it.

local base = KEYS[1]

-- Sorted set: the entries (id and generation) of messages, by the time when they are due.
local SCHEDULE = base .. ':s'
-- Hash: entry -> message.
local SCHEDULED_MESSAGES = base .. ':sm'
-- Hash: entry -> '1' once it was handed out as due, until it is scheduled again.
local HANDED_OUT = base .. ':sh'
-- Sorted set: ids of tasks, by the time of their death.
local DEAD_TASKS = base .. ':d'
-- Hash: id -> dead letter.
local DEAD_LETTERS = base .. ':dm'
-- Set of registered workers.
local WORKERS = base .. ':ws'
-- Set of the queues of users' own that have had a task here.
local OWN_QUEUES = base .. ':qs'
-- Set of queues.
local PAUSED_QUEUES = base .. ':paused'
-- Hash: a code for what is counted, and its queue -> count.
local TOTALS = base .. ':n'
-- Before the length and the beginning of a window, in milliseconds. Hash: the name of a counter -> count.
local FIGURES = base .. ':fig:'
-- Channel: 'f' and the id of an awaited task that is over; 's' when an entry is due earlier than all others
-- were.
local EVENTS = base .. ':ev'
-- Sorted set: the names of notes, all of score 0. A name may outlive its note.
local NOTES = base .. ':ns'
-- List: code and name of what was set aside and not told of yet.
local SET_ASIDE = base .. ':xs'
-- The latest token of a claim.
local LATEST_TOKEN = base .. ':token'
-- The task that is to start in a worker of its own.
local STARTS_ALONE = base .. ':alone'

-- A task's record.
local function task_key(id) return base .. ':t:' .. id end
-- Says that a withdrawn task's message may turn up, and is not to run.
local function withdrawn_key(id) return base .. ':v:' .. id end
-- What `retry::Suspicion` packs of a task that workers died with; nothing: no more than its crashes.
local function suspicion_key(id) return base .. ':y:' .. id end
-- The id of the task that has a unique key.
local function holder_key(unique_key) return base .. ':u:' .. unique_key end
-- Hash: i what the worker says of itself, l the end of its lease, y its latest beat, n how many, D it is to
-- drain.
local function worker_key(worker) return base .. ':w:' .. worker end
-- Set: what the worker runs, and what passed to another one.
local function claims_key(worker) return base .. ':c:' .. worker end
-- List: a code and a task of each order to a worker: c cancel, l lost.
local function orders_key(worker) return base .. ':o:' .. worker end
-- List: task and token. Apart from the orders, which an earlier version's worker reads: it would take a
-- question for one.
local function questions_key(worker) return base .. ':ask:' .. worker end
-- Hash: the number of an attempt -> what is kept of its log.
local function logs_key(id) return base .. ':log:' .. id end
local function note_key(name) return base .. ':note:' .. name end
local function journal_key(topic) return base .. ':j:' .. topic end
-- Hash: h who leads, n the fence (which rises with each leader), u until when.
local function leader_key(role) return base .. ':l:' .. role end
-- Hash: v how many tokens there are, t since when.
local function bucket_key(name) return base .. ':b:' .. name end
-- The ids of the tasks that came within some minutes, one after another.
local function recent_key(step) return base .. ':r:' .. step end
-- What cannot be read, as it was. A code says what: t record, s entry of the schedule set, d dead letter,
-- j journal entry, n note, w heartbeat, m message of a queue.
local function set_aside_key(what, name) return base .. ':x:' .. what .. ':' .. name end
