-- Each learning event moved its enrollment to the end of the index that `updated_since` uses. By the hour it stays where it is.
ALTER TABLE enrollments ADD COLUMN updated_hour BIGINT NOT NULL DEFAULT 0;
UPDATE enrollments SET updated_hour = floor(extract(epoch FROM updated_at) / 3600)::bigint;
DROP INDEX enrollments_by_update;
CREATE INDEX enrollments_by_hour ON enrollments (updated_hour, id);
