-- What version 12 adds: what tells a task apart from another one that is enqueued with its id, where its producer
-- chose that; the time of tasks whose ids do not tell it; and the figures of machines, of each window of `step`
-- milliseconds that begins at `at`.
ALTER TABLE tasks ADD COLUMN fingerprint INTEGER;

-- All but UUIDs of version 7, which sort by time.
CREATE INDEX tasks_with_other_ids ON tasks (enqueued_at)
    WHERE substr(id, 7, 1) NOT BETWEEN x'70' AND x'7f';

CREATE TABLE host_figures (
    step    INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    host    TEXT NOT NULL,
    figures BLOB NOT NULL,
    PRIMARY KEY (step, at, host)
) STRICT, WITHOUT ROWID;
