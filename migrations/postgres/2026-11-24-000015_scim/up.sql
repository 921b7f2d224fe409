-- SCIM's name of a user (and in lower case), and what SCIM alone knows of them. Whoever was never written over SCIM has none; their
-- name there is the e-mail.
ALTER TABLE users ADD COLUMN user_name text;
ALTER TABLE users ADD COLUMN user_name_key text;
ALTER TABLE users ADD COLUMN scim_document jsonb;
CREATE UNIQUE INDEX users_by_user_name ON users (user_name_key);
CREATE INDEX users_by_shown_name ON users ((COALESCE(user_name_key, email_key)), id);
CREATE INDEX users_by_creation ON users (created_at, id);

-- Addresses of users beside the one for log-in, in lower case, to be found by.
CREATE TABLE other_emails (
    email_key text NOT NULL,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (email_key, user_id)
);
CREATE INDEX other_emails_by_user ON other_emails (user_id);
