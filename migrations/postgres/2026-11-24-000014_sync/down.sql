DROP TABLE sync_settings;
DROP TABLE sync_plan_rows;
DROP TABLE sync_plans;
