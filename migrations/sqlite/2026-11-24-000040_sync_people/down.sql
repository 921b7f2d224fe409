DROP INDEX sync_plan_rows_by_user;
