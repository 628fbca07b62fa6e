-- What version 12 adds: what tells a task apart from another one that is enqueued with its id, where its producer
-- chose that; and the figures of machines, of each window of `step` milliseconds that begins at `at`.
ALTER TABLE tasks ADD COLUMN fingerprint INTEGER;

CREATE TABLE host_figures (
    step    INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    host    TEXT NOT NULL,
    figures BLOB NOT NULL,
    PRIMARY KEY (step, at, host)
) STRICT, WITHOUT ROWID;
