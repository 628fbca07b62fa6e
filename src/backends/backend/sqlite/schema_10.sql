-- What version 10 adds: the figures of attempts, counted by name in windows of `step` milliseconds that begin
-- at `at`.

CREATE TABLE figures (
    step  INTEGER NOT NULL,
    at    INTEGER NOT NULL,
    name  TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (step, at, name)
) STRICT, WITHOUT ROWID;
