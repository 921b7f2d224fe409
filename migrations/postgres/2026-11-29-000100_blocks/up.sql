-- The audit log is read in the order of the log. So its indexes need no ids, which are twice as large as positions. Two of them say
-- no more than `events_by_subject` and `events_by_kind`.
DROP INDEX audit_by_actor;
DROP INDEX audit_by_client;
DROP INDEX audit_by_subject;
DROP INDEX audit_by_person;
DROP INDEX audit_by_kind;
DROP INDEX audit_by_time;
CREATE INDEX events_by_actor ON events (actor_id, seq) WHERE actor_id IS NOT NULL;
CREATE INDEX events_by_client ON events (via_client_id, seq) WHERE via_client_id IS NOT NULL;
CREATE INDEX events_by_time ON events (at, seq);

-- In blocks of 65,536: an entry of somebody goes to a page of the newest block, which is at hand, and not to one of all pages.
CREATE INDEX events_by_person ON events ((seq >> 16), user_id, seq);

-- Entries have positions, as events have.
CREATE SEQUENCE game_ledger_seq_seq;
ALTER TABLE game_ledger ADD COLUMN seq bigint;
UPDATE game_ledger SET seq = numbered.n
    FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM game_ledger) AS numbered WHERE numbered.id = game_ledger.id;
SELECT setval('game_ledger_seq_seq', (SELECT count(*) + 1 FROM game_ledger), false);
ALTER TABLE game_ledger ALTER COLUMN seq SET DEFAULT nextval('game_ledger_seq_seq'), ALTER COLUMN seq SET NOT NULL;
ALTER SEQUENCE game_ledger_seq_seq OWNED BY game_ledger.seq;
DROP INDEX game_ledger_by_game;
DROP INDEX game_ledger_by_user;
CREATE INDEX game_ledger_by_game ON game_ledger (game_id, seq);
CREATE INDEX game_ledger_by_user ON game_ledger ((seq >> 16), user_id, seq);
ALTER TABLE game_ledger DROP CONSTRAINT game_ledger_dedup_key_key;
CREATE UNIQUE INDEX game_ledger_by_dedup ON game_ledger (dedup_key) WHERE dedup_key IS NOT NULL;

-- Keys do not get smaller by compression, and to try costs more than to write them.
ALTER TABLE game_moves ALTER COLUMN moves SET STORAGE EXTERNAL;

-- Whoever is erased is found among the flags.
CREATE INDEX game_flags_by_user ON game_flags (user_id, id);
