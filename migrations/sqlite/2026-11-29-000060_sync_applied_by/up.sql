-- Who applies a plan, for the audit log; and why it was given up, if it was.
ALTER TABLE sync_plans ADD COLUMN failure TEXT;
ALTER TABLE sync_plans ADD COLUMN applied_by_kind TEXT;
ALTER TABLE sync_plans ADD COLUMN applied_by TEXT;
ALTER TABLE sync_plans ADD COLUMN applied_via TEXT;
