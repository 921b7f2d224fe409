-- Small facts of the installation, such as the sandbox clock's offset.
CREATE TABLE settings (
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (key)
) STRICT, WITHOUT ROWID;

-- Ed25519 keys that sign tokens (PKCS#8 and raw public key, base64). Retired keys still verify.
CREATE TABLE signing_keys (
    id TEXT NOT NULL,
    private_key TEXT NOT NULL,
    public_key TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    retired_at INTEGER,
    PRIMARY KEY (id)
) STRICT;

-- The append-only event log, written in the transaction of the change it tells of.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id TEXT,
    subject_kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    course_id TEXT,
    user_id TEXT,
    data TEXT NOT NULL,
    request_id TEXT
) STRICT;
CREATE INDEX events_by_subject ON events (subject_id, seq);

-- How far each reader of the event log has come.
CREATE TABLE event_cursors (
    consumer TEXT NOT NULL,
    seq INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (consumer)
) STRICT, WITHOUT ROWID;

-- Background work, claimed by lease.
CREATE TABLE jobs (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    dedup_key TEXT UNIQUE,
    payload TEXT NOT NULL,
    state TEXT NOT NULL,
    run_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    lease_until INTEGER,
    last_error TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX jobs_due ON jobs (state, run_at);

-- First answers to requests with an Idempotency-Key, stored with the write that they guard.
CREATE TABLE idempotency_keys (
    caller TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL,
    headers TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (caller, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
