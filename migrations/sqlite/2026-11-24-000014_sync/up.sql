-- Plans of the HR sync. `applying` is set while a plan is applied: its unique key lets one be applied at a time.
CREATE TABLE sync_plans (
    id TEXT NOT NULL,
    state TEXT NOT NULL,
    options TEXT NOT NULL,
    counts TEXT NOT NULL,
    guards TEXT NOT NULL,
    row_count INTEGER NOT NULL,
    done_count INTEGER NOT NULL,
    conflict_count INTEGER NOT NULL,
    applying TEXT UNIQUE,
    made_by_kind TEXT NOT NULL,
    made_by TEXT,
    version INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX sync_plans_by_state ON sync_plans (state, expires_at);

-- What a plan does, in the order in which it is applied; `state` is pending, applied, conflict or error.
CREATE TABLE sync_plan_rows (
    plan_id TEXT NOT NULL REFERENCES sync_plans (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    row_number INTEGER,
    action TEXT NOT NULL,
    state TEXT NOT NULL,
    user_id TEXT,
    user_version INTEGER,
    before_profile TEXT,
    after_profile TEXT,
    errors TEXT NOT NULL,
    PRIMARY KEY (plan_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX sync_plan_rows_by_id ON sync_plan_rows (plan_id, id);
CREATE INDEX sync_plan_rows_by_state ON sync_plan_rows (plan_id, state, seq);
CREATE INDEX sync_plan_rows_by_action ON sync_plan_rows (plan_id, action, id);

-- How strict the guards are for a client.
CREATE TABLE sync_settings (
    client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    max_deactivate_percent REAL NOT NULL,
    max_error_percent REAL NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (client_id)
) STRICT;
