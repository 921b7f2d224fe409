DROP INDEX enrollments_by_hour;
CREATE INDEX enrollments_by_update ON enrollments (updated_at, id);
ALTER TABLE enrollments DROP COLUMN updated_hour;
