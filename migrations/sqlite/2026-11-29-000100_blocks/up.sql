-- The audit log is read in the order of the log. So its indexes need no ids, which are several times as large as positions. Two of
-- them say no more than `events_by_subject` and `events_by_kind`.
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
CREATE INDEX events_by_person ON events (seq >> 16, user_id);

-- Entries have positions, as events have.
CREATE TABLE game_ledger_new (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    game_id TEXT NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    team_id TEXT,
    points INTEGER NOT NULL,
    kind TEXT NOT NULL,
    rule_key TEXT,
    reason TEXT NOT NULL,
    event_id TEXT,
    corrects_id TEXT,
    made_by TEXT,
    dedup_key TEXT,
    at INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
INSERT INTO game_ledger_new (id, game_id, user_id, team_id, points, kind, rule_key, reason, event_id, corrects_id, made_by,
    dedup_key, at, created_at) SELECT id, game_id, user_id, team_id, points, kind, rule_key, reason, event_id, corrects_id, made_by,
    dedup_key, at, created_at FROM game_ledger ORDER BY id;
DROP TABLE game_ledger;
ALTER TABLE game_ledger_new RENAME TO game_ledger;
CREATE INDEX game_ledger_by_game ON game_ledger (game_id, seq);
CREATE INDEX game_ledger_by_user ON game_ledger (seq >> 16, user_id);
CREATE INDEX game_ledger_by_event ON game_ledger (event_id) WHERE event_id IS NOT NULL;
CREATE INDEX game_ledger_by_team ON game_ledger (game_id, team_id, at) WHERE team_id IS NOT NULL;
CREATE INDEX game_ledger_by_corrected ON game_ledger (corrects_id) WHERE corrects_id IS NOT NULL;
CREATE UNIQUE INDEX game_ledger_by_dedup ON game_ledger (dedup_key) WHERE dedup_key IS NOT NULL;

-- Whoever is erased is found among the flags.
CREATE INDEX game_flags_by_user ON game_flags (user_id, id);
