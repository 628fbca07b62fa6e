-- What version 9 changes: queues are open. A queue is the number of its priority (0 to 6), or the text of one of a
-- user's own. Where rows have a priority, `queue` is that text, and null where it is the priority's own queue.
ALTER TABLE tasks ADD COLUMN queue TEXT;
ALTER TABLE schedule ADD COLUMN queue TEXT;
ALTER TABLE dead ADD COLUMN queue TEXT;
ALTER TABLE messages ADD COLUMN queue TEXT;

CREATE TABLE waiting_on (
    queue ANY NOT NULL,
    seq   INTEGER NOT NULL,
    PRIMARY KEY (queue, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO waiting_on SELECT priority, seq FROM waiting;
DROP TABLE waiting;
ALTER TABLE waiting_on RENAME TO waiting;

-- A queue that is not there is empty.
DROP TABLE depths;
CREATE TABLE depths (
    queue ANY PRIMARY KEY NOT NULL,
    ready INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO depths SELECT queue, count(*) FROM waiting GROUP BY queue;

-- P2 and P3 shared one queue, the number 2.
CREATE TABLE paused_now (queue ANY PRIMARY KEY NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO paused_now SELECT iif(queue > 2, queue + 1, queue) FROM paused;
INSERT INTO paused_now SELECT 3 FROM paused WHERE queue = 2;
DROP TABLE paused;
ALTER TABLE paused_now RENAME TO paused;

CREATE TABLE totals_now (
    queue         ANY PRIMARY KEY NOT NULL,
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
) STRICT, WITHOUT ROWID;
INSERT INTO totals_now
    SELECT iif(queue > 2, queue + 1, queue), enqueued, completed, retried, dead, cancelled, minute,
           enqueued_now, finished_now, enqueued_last, finished_last
    FROM totals WHERE enqueued + completed + retried + dead + cancelled > 0;
DROP TABLE totals;
ALTER TABLE totals_now RENAME TO totals;
