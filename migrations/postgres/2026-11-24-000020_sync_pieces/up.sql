-- Rows of one piece are applied in one transaction. Plans that are under way keep the pieces that they had.
ALTER TABLE sync_plan_rows ADD COLUMN piece integer NOT NULL DEFAULT 0;
UPDATE sync_plan_rows SET piece = seq / 200;
DROP INDEX sync_plan_rows_by_state;
CREATE INDEX sync_plan_rows_by_state ON sync_plan_rows (plan_id, state, piece, seq);
