-- What version 3 changes: a message is written once and deleted once, however long its body. Which of them
-- wait and which are held is in small tables of their own.
CREATE TABLE waiting (
    priority INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    PRIMARY KEY (priority, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO waiting SELECT priority, seq FROM messages WHERE held = 0;

CREATE TABLE held (
    seq   INTEGER PRIMARY KEY,
    owner BLOB NOT NULL
) STRICT;
INSERT INTO held SELECT seq, owner FROM messages WHERE held = 1;

DROP INDEX messages_ready;
DROP INDEX messages_held;
ALTER TABLE messages DROP COLUMN held;
ALTER TABLE messages DROP COLUMN owner;
