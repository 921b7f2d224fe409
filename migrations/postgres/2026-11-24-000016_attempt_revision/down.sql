ALTER TABLE attempts DROP COLUMN revision_id;
