-- What version 2 adds.

CREATE TABLE journal (
    seq     INTEGER PRIMARY KEY,
    topic   TEXT NOT NULL,
    subject TEXT NOT NULL,
    entry   BLOB NOT NULL
) STRICT;
CREATE INDEX journal_by_topic ON journal (topic, seq);
CREATE INDEX journal_by_subject ON journal (topic, subject, seq);

-- `until`: forgotten then; never where it is null.
CREATE TABLE notes (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL,
    until INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX notes_to_forget ON notes (until) WHERE until IS NOT NULL;

-- What each worker runs, for the end of its lease, and for the search for suspects that are to run alone.
DROP INDEX tasks_with_crashes;
CREATE INDEX tasks_running ON tasks (owner) WHERE state = 2;
