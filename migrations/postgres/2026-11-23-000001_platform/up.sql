-- Small facts of the installation, such as the sandbox clock's offset.
CREATE TABLE settings (
    key text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (key)
);

-- Ed25519 keys that sign tokens (PKCS#8 and raw public key, base64). Retired keys still verify.
CREATE TABLE signing_keys (
    id text NOT NULL,
    private_key text NOT NULL,
    public_key text NOT NULL,
    created_at timestamptz NOT NULL,
    retired_at timestamptz,
    PRIMARY KEY (id)
);

-- The append-only event log, written in the transaction of the change it tells of.
CREATE TABLE events (
    seq bigserial PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    kind text NOT NULL,
    at timestamptz NOT NULL,
    actor_kind text NOT NULL,
    actor_id uuid,
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    course_id uuid,
    user_id uuid,
    data jsonb NOT NULL,
    request_id text,
    tx xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX events_by_subject ON events (subject_id, seq);

-- How far each reader of the event log has come.
CREATE TABLE event_cursors (
    consumer text NOT NULL,
    seq bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (consumer)
);

-- Background work, claimed by lease.
CREATE TABLE jobs (
    id uuid NOT NULL,
    kind text NOT NULL,
    dedup_key text UNIQUE,
    payload jsonb NOT NULL,
    state text NOT NULL,
    run_at timestamptz NOT NULL,
    attempts integer NOT NULL,
    lease_until timestamptz,
    last_error text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX jobs_due ON jobs (state, run_at);

-- First answers to requests with an Idempotency-Key, stored with the write that they guard.
CREATE TABLE idempotency_keys (
    caller text NOT NULL,
    key text NOT NULL,
    fingerprint text NOT NULL,
    status integer NOT NULL,
    headers text NOT NULL,
    body text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (caller, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
