-- When the standing of an active enrollment may next change because time has passed, for those whose conditions ask about time. Not a
-- column of `enrollments`: most have none, and every learning event would write the index.
CREATE TABLE enrollment_turns (
    enrollment_id TEXT NOT NULL PRIMARY KEY REFERENCES enrollments (id) ON DELETE CASCADE,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX enrollment_turns_by_time ON enrollment_turns (at, enrollment_id);
-- Of those that there are, the worker finds out.
INSERT INTO enrollment_turns (enrollment_id, at) SELECT id, 0 FROM enrollments WHERE status = 'active';
-- No instant lies beyond the year 9999, and no setting adds more than some hundred years to one.
UPDATE courses SET certificate_valid_days = 36500 WHERE certificate_valid_days > 36500;
UPDATE certificates SET expires_at = 253402300799999999 WHERE expires_at > 253402300799999999;
UPDATE enrollments SET expires_at = 253402300799999999 WHERE expires_at > 253402300799999999;
UPDATE enrollments SET cohort_start_at = -62135596800000000 WHERE cohort_start_at < -62135596800000000;
UPDATE enrollments SET cohort_start_at = 253402300799999999 WHERE cohort_start_at > 253402300799999999;
