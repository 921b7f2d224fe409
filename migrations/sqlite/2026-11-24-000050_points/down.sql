-- Fewer keys than one in 32 divide the lower levels until players move; every count is right all the same.
UPDATE game_ranking SET level = 4 WHERE level = 2;
UPDATE game_ranking SET level = 2 WHERE level = 1;
INSERT INTO game_ranking (board_id, level, key, n) SELECT board_id, level - 1, key, n FROM game_ranking WHERE level IN (2, 4);
INSERT INTO game_ranking (board_id, level, key, n) SELECT board_id, 5, x'', SUM(n) FROM game_ranking WHERE level = 4 GROUP BY board_id;

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
) STRICT;
INSERT INTO game_ledger_old SELECT id, game_id, user_id, team_id, points, kind, rule_key, reason, event_id, corrects_id, made_by,
    dedup_key, at, created_at FROM game_ledger ORDER BY id;
DROP TABLE game_ledger;
ALTER TABLE game_ledger_old RENAME TO game_ledger;
CREATE INDEX game_ledger_by_game ON game_ledger (game_id, id);
CREATE INDEX game_ledger_by_user ON game_ledger (game_id, user_id, id);
CREATE INDEX game_ledger_by_event ON game_ledger (event_id) WHERE event_id IS NOT NULL;
CREATE INDEX game_ledger_by_team ON game_ledger (game_id, team_id, at) WHERE team_id IS NOT NULL;

CREATE TABLE game_standings_old (
    board_id INTEGER NOT NULL REFERENCES game_boards (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    points INTEGER NOT NULL,
    reached_at INTEGER NOT NULL,
    listed INTEGER NOT NULL,
    PRIMARY KEY (board_id, user_id)
) STRICT, WITHOUT ROWID;
INSERT INTO game_standings_old (board_id, user_id, points, reached_at, listed)
    SELECT board_id, user_id, points, reached_at, listed FROM game_standings ORDER BY board_id, user_id;
DROP TABLE game_standings;
ALTER TABLE game_standings_old RENAME TO game_standings;
CREATE INDEX game_standings_by_user ON game_standings (user_id, board_id);
