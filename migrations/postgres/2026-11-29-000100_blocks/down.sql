DROP INDEX game_flags_by_user;
ALTER TABLE game_moves ALTER COLUMN moves SET STORAGE EXTENDED;

DROP INDEX game_ledger_by_dedup;
ALTER TABLE game_ledger ADD CONSTRAINT game_ledger_dedup_key_key UNIQUE (dedup_key);
DROP INDEX game_ledger_by_game;
DROP INDEX game_ledger_by_user;
ALTER TABLE game_ledger DROP COLUMN seq;
CREATE INDEX game_ledger_by_game ON game_ledger (game_id, id);
CREATE INDEX game_ledger_by_user ON game_ledger (game_id, user_id, id);

DROP INDEX events_by_actor;
DROP INDEX events_by_client;
DROP INDEX events_by_person;
DROP INDEX events_by_time;
CREATE INDEX audit_by_actor ON events (actor_id, id);
CREATE INDEX audit_by_client ON events (via_client_id, id) WHERE via_client_id IS NOT NULL;
CREATE INDEX audit_by_subject ON events (subject_id, id);
CREATE INDEX audit_by_person ON events (user_id, id);
CREATE INDEX audit_by_kind ON events (kind, id);
CREATE INDEX audit_by_time ON events (at, id);
