-- Secrets of clients; at most two count at a time, so that one is replaced without an outage.
CREATE TABLE client_secrets (
    id uuid NOT NULL,
    client_id uuid NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    hash text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    PRIMARY KEY (id)
);
CREATE INDEX client_secrets_by_client ON client_secrets (client_id, id);
INSERT INTO client_secrets (id, client_id, hash, created_at) SELECT id, id, secret_hash, created_at FROM clients;
ALTER TABLE clients DROP COLUMN secret_hash;
-- Public keys of clients that sign assertions (RFC 7523).
ALTER TABLE clients ADD COLUMN jwks jsonb;

-- SHA-256 of the `jti` of assertions that were taken, kept until they expire, so that none is taken twice.
CREATE TABLE client_assertions (
    client_id uuid NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    jti_hash text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (client_id, jti_hash)
);
CREATE INDEX client_assertions_by_expiry ON client_assertions (expires_at);

-- Access tokens that were revoked one by one, kept until they would have expired.
CREATE TABLE revoked_tokens (
    jti uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (jti)
);
CREATE INDEX revoked_tokens_by_expiry ON revoked_tokens (expires_at);

-- Failed log-ins by account (SHA-256 of the e-mail, known or not) and by address.
CREATE TABLE login_failures (
    key text NOT NULL,
    failures integer NOT NULL,
    last_at timestamptz NOT NULL,
    blocked_until timestamptz,
    PRIMARY KEY (key)
);
CREATE INDEX login_failures_by_age ON login_failures (last_at);

-- Users whose personal data was erased.
CREATE TABLE erasures (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    erased_by uuid,
    erased_at timestamptz NOT NULL,
    PRIMARY KEY (user_id)
);

-- The client that acted for the user who is the actor; and what the audit log filters by.
ALTER TABLE events ADD COLUMN via_client_id uuid;
CREATE INDEX audit_by_actor ON events (actor_id, id);
CREATE INDEX audit_by_client ON events (via_client_id, id) WHERE via_client_id IS NOT NULL;
CREATE INDEX audit_by_subject ON events (subject_id, id);
CREATE INDEX audit_by_person ON events (user_id, id);
CREATE INDEX audit_by_kind ON events (kind, id);
CREATE INDEX audit_by_time ON events (at, id);
