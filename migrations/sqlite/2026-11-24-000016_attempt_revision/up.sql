-- The revision whose quiz an attempt is about: an upgrade of the enrollment must not change what was asked.
ALTER TABLE attempts ADD COLUMN revision_id TEXT;
UPDATE attempts SET revision_id = (SELECT revision_id FROM enrollments WHERE enrollments.id = attempts.enrollment_id);
