-- What version 6 adds. `suspicion`: what is known of a task that workers died with (retry::Suspicion), beside
-- the count of its crashes. `again_at`: when a task of a dead worker may start again; later than its start
-- until it has.
ALTER TABLE tasks ADD COLUMN suspicion INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN again_at INTEGER;
CREATE INDEX tasks_again ON tasks (again_at) WHERE state = 2 AND again_at > started_at;
