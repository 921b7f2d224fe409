-- Games. `settings` is the domain's Settings as JSON; `seed` makes pseudonyms; `report` is written once, on closing.
CREATE TABLE games (
    id TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    scope_kind TEXT NOT NULL,
    scope_id TEXT,
    status TEXT NOT NULL,
    mode TEXT NOT NULL,
    starts_at INTEGER NOT NULL,
    ends_at INTEGER,
    seed INTEGER NOT NULL,
    settings TEXT NOT NULL,
    closed_at INTEGER,
    report TEXT,
    version INTEGER NOT NULL,
    created_by TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX games_by_status ON games (status, id);
CREATE INDEX games_by_scope ON games (scope_id, id);
CREATE INDEX games_by_update ON games (updated_at, id);
CREATE INDEX games_due ON games (ends_at) WHERE status = 'open' AND ends_at IS NOT NULL;

-- How a user wants to be shown in all games.
CREATE TABLE game_preferences (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    display TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (user_id)
) STRICT, WITHOUT ROWID;

-- Who plays: display overrides the preference; the streak is of days on which points were earned.
CREATE TABLE game_players (
    game_id TEXT NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    display TEXT,
    streak_days INTEGER NOT NULL,
    streak_longest INTEGER NOT NULL,
    streak_last INTEGER,
    joined_at INTEGER NOT NULL,
    PRIMARY KEY (game_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX game_players_by_user ON game_players (user_id, game_id);

CREATE TABLE game_teams (
    id TEXT NOT NULL,
    game_id TEXT NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    code TEXT UNIQUE,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE UNIQUE INDEX game_teams_by_name ON game_teams (game_id, name_key);
CREATE INDEX game_teams_by_game ON game_teams (game_id, id);

-- Who was in which team when: points count for the team held when they were earned.
CREATE TABLE game_team_members (
    id TEXT NOT NULL,
    game_id TEXT NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    team_id TEXT NOT NULL REFERENCES game_teams (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    joined_at INTEGER NOT NULL,
    left_at INTEGER,
    PRIMARY KEY (id)
) STRICT;
CREATE UNIQUE INDEX game_team_members_now ON game_team_members (game_id, user_id) WHERE left_at IS NULL;
CREATE INDEX game_team_members_by_user ON game_team_members (game_id, user_id, joined_at);
CREATE INDEX game_team_members_by_team ON game_team_members (team_id, id);

-- The points ledger: rows are only ever added. `at` is the instant that an entry counts for.
CREATE TABLE game_ledger (
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
CREATE INDEX game_ledger_by_game ON game_ledger (game_id, id);
CREATE INDEX game_ledger_by_user ON game_ledger (game_id, user_id, id);
CREATE INDEX game_ledger_by_event ON game_ledger (event_id) WHERE event_id IS NOT NULL;
CREATE INDEX game_ledger_by_team ON game_ledger (game_id, team_id, at) WHERE team_id IS NOT NULL;

-- What a player has had of a rule: for once, caps, quiet intervals and streaks.
CREATE TABLE game_progress (
    game_id TEXT NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    rule_key TEXT NOT NULL,
    user_id TEXT NOT NULL,
    times INTEGER NOT NULL,
    points INTEGER NOT NULL,
    last_at INTEGER,
    day_at INTEGER,
    day_points INTEGER NOT NULL,
    streak_days INTEGER NOT NULL,
    streak_longest INTEGER NOT NULL,
    streak_last INTEGER,
    PRIMARY KEY (game_id, user_id, rule_key)
) STRICT, WITHOUT ROWID;

-- Things for which a rule with `repeat: each` gave points.
CREATE TABLE game_things (
    game_id TEXT NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    rule_key TEXT NOT NULL,
    thing TEXT NOT NULL,
    PRIMARY KEY (game_id, user_id, rule_key, thing)
) STRICT, WITHOUT ROWID;

-- One leaderboard for each game and bucket of time, such as `all` or `week:2026-11-23`.
CREATE TABLE game_boards (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    game_id TEXT NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    bucket TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX game_boards_by_bucket ON game_boards (game_id, bucket);

-- The sum of a player's ledger in a bucket; kept in the transaction of each entry.
CREATE TABLE game_standings (
    board_id INTEGER NOT NULL REFERENCES game_boards (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    points INTEGER NOT NULL,
    reached_at INTEGER NOT NULL,
    listed INTEGER NOT NULL,
    PRIMARY KEY (board_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX game_standings_by_user ON game_standings (user_id, board_id);

-- Listed players in order (level 0), and how many stand between two keys (levels above): ranks without counting all.
CREATE TABLE game_ranking (
    board_id INTEGER NOT NULL REFERENCES game_boards (id) ON DELETE CASCADE,
    level INTEGER NOT NULL,
    key BLOB NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (board_id, level, key)
) STRICT, WITHOUT ROWID;

-- What each player earned for a team in a bucket, and the sums of that.
CREATE TABLE game_team_points (
    board_id INTEGER NOT NULL REFERENCES game_boards (id) ON DELETE CASCADE,
    team_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    points INTEGER NOT NULL,
    reached_at INTEGER NOT NULL,
    PRIMARY KEY (board_id, team_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE game_team_totals (
    board_id INTEGER NOT NULL REFERENCES game_boards (id) ON DELETE CASCADE,
    team_id TEXT NOT NULL,
    points INTEGER NOT NULL,
    reached_at INTEGER NOT NULL,
    PRIMARY KEY (board_id, team_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE game_badges (
    id TEXT NOT NULL,
    game_id TEXT NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    design TEXT NOT NULL,
    criteria TEXT,
    award_on TEXT,
    award_where TEXT,
    revocation TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX game_badges_by_game ON game_badges (game_id, id);

CREATE TABLE game_badge_awards (
    id TEXT NOT NULL,
    badge_id TEXT NOT NULL REFERENCES game_badges (id) ON DELETE CASCADE,
    game_id TEXT NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    source TEXT NOT NULL,
    reason TEXT NOT NULL,
    event_id TEXT,
    awarded_by TEXT,
    awarded_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    revoked_at INTEGER,
    revoke_reason TEXT,
    PRIMARY KEY (id)
) STRICT;
CREATE UNIQUE INDEX game_badge_awards_once ON game_badge_awards (badge_id, user_id) WHERE state <> 'revoked';
CREATE INDEX game_badge_awards_by_badge ON game_badge_awards (badge_id, id);
CREATE INDEX game_badge_awards_by_user ON game_badge_awards (user_id, id);
CREATE INDEX game_badge_awards_by_event ON game_badge_awards (event_id) WHERE event_id IS NOT NULL;

-- What somebody should look at: suspicious earning, causes that were corrected.
CREATE TABLE game_flags (
    id TEXT NOT NULL,
    game_id TEXT NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL,
    entry_id TEXT,
    award_id TEXT,
    state TEXT NOT NULL,
    note TEXT,
    resolved_by TEXT,
    resolved_at INTEGER,
    at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX game_flags_by_state ON game_flags (game_id, state, id);
CREATE UNIQUE INDEX game_flags_open ON game_flags (game_id, user_id, kind) WHERE state = 'open' AND entry_id IS NULL AND award_id IS NULL;

CREATE TABLE game_matches (
    id TEXT NOT NULL,
    game_id TEXT NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    format TEXT NOT NULL,
    round INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    home_team_id TEXT,
    away_team_id TEXT,
    starts_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    home_score REAL,
    away_score REAL,
    winner_id TEXT,
    PRIMARY KEY (id)
) STRICT;
CREATE UNIQUE INDEX game_matches_by_round ON game_matches (game_id, round, slot);
CREATE INDEX game_matches_due ON game_matches (ends_at) WHERE state = 'scheduled';

-- Who meets whom in the league of a period.
CREATE TABLE game_league_places (
    game_id TEXT NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    bucket TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    tier INTEGER NOT NULL,
    group_no INTEGER NOT NULL,
    PRIMARY KEY (game_id, bucket, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX game_league_places_by_group ON game_league_places (game_id, bucket, group_no);

-- Events that a reader of the log failed at; one that fails too often is passed over and stays here.
CREATE TABLE event_failures (
    consumer TEXT NOT NULL,
    seq INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    last_error TEXT NOT NULL,
    skipped_at INTEGER,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (consumer, seq)
) STRICT, WITHOUT ROWID;

-- For replays, which read some kinds only.
CREATE INDEX events_by_kind ON events (kind, seq);
