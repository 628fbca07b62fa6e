-- What version 4 changes: a record tells which token enqueued its task, and a unique key counts within the
-- tenant.
ALTER TABLE tasks ADD COLUMN enqueued_by TEXT;

UPDATE OR REPLACE unique_keys
    SET key = 'tenant' || char(31) || (SELECT tenant FROM tasks WHERE tasks.id = unique_keys.id) || char(31) || key
    WHERE id IN (SELECT id FROM tasks WHERE state <= 2 AND unique_key IS NOT NULL AND tenant IS NOT NULL);
UPDATE tasks SET unique_key = 'tenant' || char(31) || tenant || char(31) || unique_key
    WHERE state <= 2 AND unique_key IS NOT NULL AND tenant IS NOT NULL;
