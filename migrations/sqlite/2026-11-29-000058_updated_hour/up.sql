-- Each learning event moved its enrollment to the end of the index that `updated_since` uses. By the hour it stays where it is.
ALTER TABLE enrollments ADD COLUMN updated_hour INTEGER NOT NULL DEFAULT 0;
UPDATE enrollments SET updated_hour = updated_at / 3600000000;
DROP INDEX enrollments_by_update;
CREATE INDEX enrollments_by_hour ON enrollments (updated_hour, id);
