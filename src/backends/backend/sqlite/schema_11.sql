-- What version 11 adds: the logs of attempts, forgotten at `until`.
CREATE TABLE logs (
    task    BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    until   INTEGER NOT NULL,
    lines   BLOB NOT NULL,
    PRIMARY KEY (task, attempt)
) STRICT;
CREATE INDEX logs_to_forget ON logs (until);
