-- When the standing of an active enrollment may next change because time has passed, for those whose conditions ask about time. Not a
-- column of `enrollments`: most have none, and every learning event would write the index.
CREATE TABLE enrollment_turns (
    enrollment_id uuid NOT NULL PRIMARY KEY REFERENCES enrollments (id) ON DELETE CASCADE,
    at timestamptz NOT NULL
);
CREATE INDEX enrollment_turns_by_time ON enrollment_turns (at, enrollment_id);
-- Of those that there are, the worker finds out.
INSERT INTO enrollment_turns (enrollment_id, at) SELECT id, to_timestamp(0) FROM enrollments WHERE status = 'active';
-- No instant lies beyond the year 9999, and no setting adds more than some hundred years to one.
UPDATE courses SET certificate_valid_days = 36500 WHERE certificate_valid_days > 36500;
UPDATE certificates SET expires_at = '9999-12-31T23:59:59.999999Z' WHERE expires_at > '9999-12-31T23:59:59.999999Z';
UPDATE enrollments SET expires_at = '9999-12-31T23:59:59.999999Z' WHERE expires_at > '9999-12-31T23:59:59.999999Z';
UPDATE enrollments SET cohort_start_at = '0001-01-01T00:00:00Z' WHERE cohort_start_at < '0001-01-01T00:00:00Z';
UPDATE enrollments SET cohort_start_at = '9999-12-31T23:59:59.999999Z' WHERE cohort_start_at > '9999-12-31T23:59:59.999999Z';
