-- Plans of the HR sync. `applying` is set while a plan is applied: its unique key lets one be applied at a time.
CREATE TABLE sync_plans (
    id uuid NOT NULL,
    state text NOT NULL,
    options jsonb NOT NULL,
    counts jsonb NOT NULL,
    guards jsonb NOT NULL,
    row_count integer NOT NULL,
    done_count integer NOT NULL,
    conflict_count integer NOT NULL,
    applying text UNIQUE,
    made_by_kind text NOT NULL,
    made_by uuid,
    version bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX sync_plans_by_state ON sync_plans (state, expires_at);

-- What a plan does, in the order in which it is applied; `state` is pending, applied, conflict or error.
CREATE TABLE sync_plan_rows (
    plan_id uuid NOT NULL REFERENCES sync_plans (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    seq integer NOT NULL,
    row_number bigint,
    action text NOT NULL,
    state text NOT NULL,
    user_id uuid,
    user_version bigint,
    before_profile jsonb,
    after_profile jsonb,
    errors jsonb NOT NULL,
    PRIMARY KEY (plan_id, seq)
);
CREATE INDEX sync_plan_rows_by_id ON sync_plan_rows (plan_id, id);
CREATE INDEX sync_plan_rows_by_state ON sync_plan_rows (plan_id, state, seq);
CREATE INDEX sync_plan_rows_by_action ON sync_plan_rows (plan_id, action, id);

-- How strict the guards are for a client.
CREATE TABLE sync_settings (
    client_id uuid NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    max_deactivate_percent double precision NOT NULL,
    max_error_percent double precision NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (client_id)
);
