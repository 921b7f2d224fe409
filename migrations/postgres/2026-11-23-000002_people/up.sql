-- People. `email_key` is the e-mail in lower case.
CREATE TABLE users (
    id uuid NOT NULL,
    email text NOT NULL,
    email_key text NOT NULL UNIQUE,
    given_name text NOT NULL,
    family_name text NOT NULL,
    external_id text UNIQUE,
    password_hash text,
    state text NOT NULL,
    attributes jsonb NOT NULL,
    manager_id uuid REFERENCES users (id) ON DELETE SET NULL,
    locale text,
    time_zone text,
    version bigint NOT NULL,
    last_login_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX users_by_manager ON users (manager_id, id);
CREATE INDEX users_by_state ON users (state, id);
CREATE INDEX users_by_update ON users (updated_at, id);

-- Roles held: for the site (`reach_id` is the nil UUID) or for one course.
CREATE TABLE role_grants (
    id uuid NOT NULL,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role text NOT NULL,
    reach text NOT NULL,
    reach_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX role_grants_once ON role_grants (user_id, role, reach, reach_id);
CREATE INDEX role_grants_by_reach ON role_grants (reach_id, role);

-- Log-ins; each is one family of refresh tokens.
CREATE TABLE sessions (
    id uuid NOT NULL,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    user_agent text,
    created_at timestamptz NOT NULL,
    refreshed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_reason text,
    PRIMARY KEY (id)
);
CREATE INDEX sessions_by_user ON sessions (user_id, id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- SHA-256 of refresh tokens; a used one that comes again ends its session.
CREATE TABLE refresh_tokens (
    hash text NOT NULL,
    session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (hash)
);
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);

-- Machines that authenticate with OAuth 2 client credentials.
CREATE TABLE clients (
    id uuid NOT NULL,
    name text NOT NULL,
    auth_method text NOT NULL,
    secret_hash text NOT NULL,
    scopes jsonb NOT NULL,
    state text NOT NULL,
    version bigint NOT NULL,
    last_used_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (id)
);
