ALTER TABLE sync_plans DROP COLUMN applied_via;
ALTER TABLE sync_plans DROP COLUMN applied_by;
ALTER TABLE sync_plans DROP COLUMN applied_by_kind;
ALTER TABLE sync_plans DROP COLUMN failure;
