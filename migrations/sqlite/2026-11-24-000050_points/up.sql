-- A player's sums of all buckets lie side by side, so that an entry changes one page and not one for each bucket.
CREATE TABLE game_standings_new (
    board_id INTEGER NOT NULL REFERENCES game_boards (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    points INTEGER NOT NULL,
    reached_at INTEGER NOT NULL,
    listed INTEGER NOT NULL,
    PRIMARY KEY (user_id, board_id)
) STRICT, WITHOUT ROWID;
INSERT INTO game_standings_new (board_id, user_id, points, reached_at, listed)
    SELECT board_id, user_id, points, reached_at, listed FROM game_standings ORDER BY user_id, board_id;
DROP TABLE game_standings;
ALTER TABLE game_standings_new RENAME TO game_standings;
CREATE INDEX game_standings_by_board ON game_standings (board_id, user_id);

-- Entries are found by id anyway: one B-tree less for each.
CREATE TABLE game_ledger_new (
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
INSERT INTO game_ledger_new SELECT id, game_id, user_id, team_id, points, kind, rule_key, reason, event_id, corrects_id, made_by,
    dedup_key, at, created_at FROM game_ledger ORDER BY id;
DROP TABLE game_ledger;
ALTER TABLE game_ledger_new RENAME TO game_ledger;
CREATE INDEX game_ledger_by_game ON game_ledger (game_id, id);
CREATE INDEX game_ledger_by_user ON game_ledger (game_id, user_id, id);
CREATE INDEX game_ledger_by_event ON game_ledger (event_id) WHERE event_id IS NOT NULL;
CREATE INDEX game_ledger_by_team ON game_ledger (game_id, team_id, at) WHERE team_id IS NOT NULL;

-- One key in 1024 divides counts now, no longer one in 32, so that a batch of moves touches two levels instead of five. The
-- keys of the new levels 1 and 2 are those of the old levels 2 and 4 (32² = 1024), and so are their counts.
DELETE FROM game_ranking WHERE level IN (1, 3, 5);
UPDATE game_ranking SET level = 1 WHERE level = 2;
UPDATE game_ranking SET level = 2 WHERE level = 4;
