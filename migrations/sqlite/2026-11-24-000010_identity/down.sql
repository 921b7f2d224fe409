DROP INDEX audit_by_time;
DROP INDEX audit_by_kind;
DROP INDEX audit_by_person;
DROP INDEX audit_by_subject;
DROP INDEX audit_by_client;
DROP INDEX audit_by_actor;
ALTER TABLE events DROP COLUMN via_client_id;
DROP TABLE erasures;
DROP TABLE login_failures;
DROP TABLE revoked_tokens;
DROP TABLE client_assertions;
ALTER TABLE clients DROP COLUMN jwks;
-- A client without a secret gets an empty hash, which no secret has.
ALTER TABLE clients ADD COLUMN secret_hash TEXT NOT NULL DEFAULT '';
UPDATE clients SET secret_hash = COALESCE((SELECT hash FROM client_secrets s WHERE s.client_id = clients.id ORDER BY s.id DESC LIMIT 1), '');
DROP TABLE client_secrets;
