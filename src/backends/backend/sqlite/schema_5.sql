-- What version 5 adds: records that could not be read, as text, so that people can look at them.
CREATE TABLE set_aside (
    id   BLOB PRIMARY KEY,
    at   INTEGER NOT NULL,
    told INTEGER NOT NULL DEFAULT 0,
    row  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
