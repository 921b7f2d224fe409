-- Erasing a person blanks the rows of plans about them.
CREATE INDEX sync_plan_rows_by_user ON sync_plan_rows (user_id) WHERE user_id IS NOT NULL;
