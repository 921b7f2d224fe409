DROP INDEX sync_plan_rows_by_state;
CREATE INDEX sync_plan_rows_by_state ON sync_plan_rows (plan_id, state, seq);
ALTER TABLE sync_plan_rows DROP COLUMN piece;
