DROP INDEX game_flags_by_user;
CREATE TABLE game_ledger_old (
    id TEXT NOT NULL,
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
    dedup_key TEXT UNIQUE,
    at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT, WITHOUT ROWID;
INSERT INTO game_ledger_old SELECT id, game_id, user_id, team_id, points, kind, rule_key, reason, event_id, corrects_id, made_by,
    dedup_key, at, created_at FROM game_ledger ORDER BY id;
DROP TABLE game_ledger;
ALTER TABLE game_ledger_old RENAME TO game_ledger;
CREATE INDEX game_ledger_by_game ON game_ledger (game_id, id);
CREATE INDEX game_ledger_by_user ON game_ledger (game_id, user_id, id);
CREATE INDEX game_ledger_by_event ON game_ledger (event_id) WHERE event_id IS NOT NULL;
CREATE INDEX game_ledger_by_team ON game_ledger (game_id, team_id, at) WHERE team_id IS NOT NULL;
CREATE INDEX game_ledger_by_corrected ON game_ledger (corrects_id) WHERE corrects_id IS NOT NULL;

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
