-- Rises with every change of what a token may do, so that who is behind it need not be looked up again while nothing changed:
-- most requests then read this one row. Triggers raise it, so no code can forget to. On Postgres, where writers run side by side,
-- they would queue up for this row, so it is not kept there.
CREATE TABLE access_version (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL
) STRICT;
INSERT INTO access_version (id, version) VALUES (1, 1);

CREATE TRIGGER access_by_user AFTER UPDATE OF state ON users WHEN old.state <> new.state
BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER access_by_user_gone AFTER DELETE ON users
BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER access_by_session AFTER UPDATE OF user_id, expires_at, ended_at ON sessions
BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER access_by_session_gone AFTER DELETE ON sessions
BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER access_by_role AFTER INSERT ON role_grants
BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER access_by_role_changed AFTER UPDATE ON role_grants
BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER access_by_role_gone AFTER DELETE ON role_grants
BEGIN UPDATE access_version SET version = version + 1; END;
CREATE TRIGGER access_by_token AFTER INSERT ON revoked_tokens
BEGIN UPDATE access_version SET version = version + 1; END;
