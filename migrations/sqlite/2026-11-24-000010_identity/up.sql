-- Secrets of clients; at most two count at a time, so that one is replaced without an outage.
CREATE TABLE client_secrets (
    id TEXT NOT NULL,
    client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    hash TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX client_secrets_by_client ON client_secrets (client_id, id);
INSERT INTO client_secrets (id, client_id, hash, created_at) SELECT id, id, secret_hash, created_at FROM clients;
ALTER TABLE clients DROP COLUMN secret_hash;
-- Public keys of clients that sign assertions (RFC 7523).
ALTER TABLE clients ADD COLUMN jwks TEXT;

-- SHA-256 of the `jti` of assertions that were taken, kept until they expire, so that none is taken twice.
CREATE TABLE client_assertions (
    client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    jti_hash TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (client_id, jti_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX client_assertions_by_expiry ON client_assertions (expires_at);

-- Access tokens that were revoked one by one, kept until they would have expired.
CREATE TABLE revoked_tokens (
    jti TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (jti)
) STRICT, WITHOUT ROWID;
CREATE INDEX revoked_tokens_by_expiry ON revoked_tokens (expires_at);

-- Failed log-ins by account (SHA-256 of the e-mail, known or not) and by address.
CREATE TABLE login_failures (
    key TEXT NOT NULL,
    failures INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    blocked_until INTEGER,
    PRIMARY KEY (key)
) STRICT, WITHOUT ROWID;
CREATE INDEX login_failures_by_age ON login_failures (last_at);

-- Users whose personal data was erased.
CREATE TABLE erasures (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    erased_by TEXT,
    erased_at INTEGER NOT NULL,
    PRIMARY KEY (user_id)
) STRICT, WITHOUT ROWID;

-- The client that acted for the user who is the actor; and what the audit log filters by.
ALTER TABLE events ADD COLUMN via_client_id TEXT;
CREATE INDEX audit_by_actor ON events (actor_id, id);
CREATE INDEX audit_by_client ON events (via_client_id, id) WHERE via_client_id IS NOT NULL;
CREATE INDEX audit_by_subject ON events (subject_id, id);
CREATE INDEX audit_by_person ON events (user_id, id);
CREATE INDEX audit_by_kind ON events (kind, id);
CREATE INDEX audit_by_time ON events (at, id);
