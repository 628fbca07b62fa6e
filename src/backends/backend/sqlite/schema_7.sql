-- What version 7 changes: whatever cannot be read is set aside, by a code for what it is (StoredItem) and its
-- name there.
CREATE TABLE aside (
    what TEXT NOT NULL,
    name BLOB NOT NULL,
    at   INTEGER NOT NULL,
    told INTEGER NOT NULL DEFAULT 0,
    row  TEXT NOT NULL,
    PRIMARY KEY (what, name)
) STRICT, WITHOUT ROWID;
INSERT INTO aside SELECT 't', id, at, told, row FROM set_aside;
DROP TABLE set_aside;
ALTER TABLE aside RENAME TO set_aside;

-- A worker may be asked whether it runs a task: under which token.
ALTER TABLE orders ADD COLUMN token INTEGER NOT NULL DEFAULT 0;
