-- People. `email_key` is the e-mail in lower case.
CREATE TABLE users (
    id TEXT NOT NULL,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL UNIQUE,
    given_name TEXT NOT NULL,
    family_name TEXT NOT NULL,
    external_id TEXT UNIQUE,
    password_hash TEXT,
    state TEXT NOT NULL,
    attributes TEXT NOT NULL,
    manager_id TEXT REFERENCES users (id) ON DELETE SET NULL,
    locale TEXT,
    time_zone TEXT,
    version INTEGER NOT NULL,
    last_login_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX users_by_manager ON users (manager_id, id);
CREATE INDEX users_by_state ON users (state, id);
CREATE INDEX users_by_update ON users (updated_at, id);

-- Roles held: for the site (`reach_id` is the nil UUID) or for one course.
CREATE TABLE role_grants (
    id TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    reach TEXT NOT NULL,
    reach_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE UNIQUE INDEX role_grants_once ON role_grants (user_id, role, reach, reach_id);
CREATE INDEX role_grants_by_reach ON role_grants (reach_id, role);

-- Log-ins; each is one family of refresh tokens.
CREATE TABLE sessions (
    id TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    user_agent TEXT,
    created_at INTEGER NOT NULL,
    refreshed_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at INTEGER,
    end_reason TEXT,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user_id, id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- SHA-256 of refresh tokens; a used one that comes again ends its session.
CREATE TABLE refresh_tokens (
    hash TEXT NOT NULL,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    used_at INTEGER,
    PRIMARY KEY (hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);

-- Machines that authenticate with OAuth 2 client credentials.
CREATE TABLE clients (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    auth_method TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    scopes TEXT NOT NULL,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    last_used_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
