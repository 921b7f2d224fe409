-- Who applies a plan, for the audit log; and why it was given up, if it was.
ALTER TABLE sync_plans ADD COLUMN failure text;
ALTER TABLE sync_plans ADD COLUMN applied_by_kind text;
ALTER TABLE sync_plans ADD COLUMN applied_by uuid;
ALTER TABLE sync_plans ADD COLUMN applied_via uuid;
