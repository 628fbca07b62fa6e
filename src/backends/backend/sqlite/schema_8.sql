-- What version 8 adds: which row has the message of a running task that left its queue as it was claimed. Then no
-- row of `held` is needed: the record says who has it.
ALTER TABLE tasks ADD COLUMN message INTEGER;
