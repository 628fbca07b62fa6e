-- Version 1. What changes is a step of its own: the next version (connection.rs).

-- One record a task. States, in the order of State::ALL: 0 scheduled, 1 queued, 2 running, 3 completed, 4
-- dead, 5 cancelled; so below 2 waits and above 2 is final.
CREATE TABLE tasks (
    id          BLOB PRIMARY KEY,
    kind        TEXT NOT NULL,
    priority    INTEGER NOT NULL,
    tenant      TEXT,
    unique_key  TEXT,
    state       INTEGER NOT NULL,
    generation  INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    crashes     INTEGER NOT NULL DEFAULT 0,
    token       INTEGER NOT NULL DEFAULT 0,
    ticket      INTEGER NOT NULL DEFAULT 0,
    signalled   INTEGER NOT NULL DEFAULT 0,
    owner       BLOB,
    enqueued_at INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    started_at  INTEGER,
    finished_at INTEGER,
    forget_at   INTEGER,
    progress    TEXT,
    result      BLOB,
    failure     BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX tasks_to_forget ON tasks (forget_at) WHERE forget_at IS NOT NULL;
CREATE INDEX tasks_with_crashes ON tasks (owner) WHERE state = 2 AND crashes > 0;

CREATE TABLE unique_keys (
    key TEXT PRIMARY KEY,
    id  BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- `taken`: `due` has handed the entry to the leader since it was last scheduled.
CREATE TABLE schedule (
    id          BLOB NOT NULL,
    generation  INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    taken       INTEGER NOT NULL DEFAULT 0,
    priority    INTEGER NOT NULL,
    enqueued_at INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    body        BLOB NOT NULL,
    PRIMARY KEY (id, generation)
) STRICT;
CREATE INDEX schedule_by_time ON schedule (at, taken);

CREATE TABLE dead (
    id          BLOB PRIMARY KEY,
    generation  INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    tenant      TEXT,
    reason      INTEGER NOT NULL,
    priority    INTEGER NOT NULL,
    crashes     INTEGER NOT NULL,
    failure     BLOB NOT NULL,
    died_at     INTEGER NOT NULL,
    enqueued_at INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    body        BLOB NOT NULL
) STRICT;
CREATE INDEX dead_by_time ON dead (died_at, id);

CREATE TABLE workers (
    id          BLOB PRIMARY KEY,
    beat        BLOB NOT NULL,
    beats       INTEGER NOT NULL,
    last_beat   INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    drain       INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- What a worker is told with its next beat. Orders: 0 cancel the task, 1 the task is lost to another worker.
CREATE TABLE orders (
    worker BLOB NOT NULL,
    task   BLOB NOT NULL,
    what   INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (worker, task, what)
) STRICT, WITHOUT ROWID;

CREATE TABLE leaders (
    role     TEXT PRIMARY KEY,
    who      BLOB,
    fence    INTEGER NOT NULL,
    taken_at INTEGER NOT NULL,
    lease    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE paused (queue INTEGER PRIMARY KEY) STRICT;

-- `at` in microseconds.
CREATE TABLE buckets (
    name   TEXT PRIMARY KEY,
    tokens REAL NOT NULL,
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- `*_now` counts in `minute`, `*_last` in the minute before it.
CREATE TABLE totals (
    queue         INTEGER PRIMARY KEY,
    enqueued      INTEGER NOT NULL DEFAULT 0,
    completed     INTEGER NOT NULL DEFAULT 0,
    retried       INTEGER NOT NULL DEFAULT 0,
    dead          INTEGER NOT NULL DEFAULT 0,
    cancelled     INTEGER NOT NULL DEFAULT 0,
    minute        INTEGER NOT NULL DEFAULT 0,
    enqueued_now  INTEGER NOT NULL DEFAULT 0,
    finished_now  INTEGER NOT NULL DEFAULT 0,
    enqueued_last INTEGER NOT NULL DEFAULT 0,
    finished_last INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO totals (queue) VALUES (0), (1), (2), (3), (4), (5);

-- Processes to be woken, by the port of their doorbells.
CREATE TABLE listeners (
    port    INTEGER PRIMARY KEY,
    topics  INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT;

-- The broker's queues, in the order of `seq`. Priorities say which queue. `owner` has 16 bytes also while no
-- worker holds the message: a row that keeps its size is changed in place, however long its body.
CREATE TABLE messages (
    seq         INTEGER PRIMARY KEY,
    priority    INTEGER NOT NULL,
    held        INTEGER NOT NULL DEFAULT 0,
    owner       BLOB NOT NULL DEFAULT (zeroblob(16)),
    id          BLOB NOT NULL,
    generation  INTEGER NOT NULL,
    enqueued_at INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    body        BLOB NOT NULL
) STRICT;
CREATE INDEX messages_ready ON messages (priority) WHERE held = 0;
CREATE INDEX messages_held ON messages (owner) WHERE held = 1;

-- How many messages wait on each queue, kept with every change: counting them would take ever longer.
CREATE TABLE depths (
    queue INTEGER PRIMARY KEY,
    ready INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO depths (queue) VALUES (0), (1), (2), (3), (4), (5);
