-- Games. `settings` is the domain's Settings as JSON; `seed` makes pseudonyms; `report` is written once, on closing.
CREATE TABLE games (
    id uuid NOT NULL,
    title text NOT NULL,
    description text NOT NULL,
    scope_kind text NOT NULL,
    scope_id uuid,
    status text NOT NULL,
    mode text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz,
    seed bigint NOT NULL,
    settings text NOT NULL,
    closed_at timestamptz,
    report text,
    version bigint NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX games_by_status ON games (status, id);
CREATE INDEX games_by_scope ON games (scope_id, id);
CREATE INDEX games_by_update ON games (updated_at, id);
CREATE INDEX games_due ON games (ends_at) WHERE status = 'open' AND ends_at IS NOT NULL;

-- How a user wants to be shown in all games.
CREATE TABLE game_preferences (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    display text NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (user_id)
);

-- Who plays: display overrides the preference; the streak is of days on which points were earned.
CREATE TABLE game_players (
    game_id uuid NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    display text,
    streak_days bigint NOT NULL,
    streak_longest bigint NOT NULL,
    streak_last timestamptz,
    joined_at timestamptz NOT NULL,
    PRIMARY KEY (game_id, user_id)
);
CREATE INDEX game_players_by_user ON game_players (user_id, game_id);

CREATE TABLE game_teams (
    id uuid NOT NULL,
    game_id uuid NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    name text NOT NULL,
    name_key text NOT NULL,
    code text UNIQUE,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX game_teams_by_name ON game_teams (game_id, name_key);
CREATE INDEX game_teams_by_game ON game_teams (game_id, id);

-- Who was in which team when: points count for the team held when they were earned.
CREATE TABLE game_team_members (
    id uuid NOT NULL,
    game_id uuid NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    team_id uuid NOT NULL REFERENCES game_teams (id) ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    joined_at timestamptz NOT NULL,
    left_at timestamptz,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX game_team_members_now ON game_team_members (game_id, user_id) WHERE left_at IS NULL;
CREATE INDEX game_team_members_by_user ON game_team_members (game_id, user_id, joined_at);
CREATE INDEX game_team_members_by_team ON game_team_members (team_id, id);

-- The points ledger: rows are only ever added. `at` is the instant that an entry counts for.
CREATE TABLE game_ledger (
    id uuid NOT NULL,
    game_id uuid NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    user_id uuid NOT NULL,
    team_id uuid,
    points bigint NOT NULL,
    kind text NOT NULL,
    rule_key text,
    reason text NOT NULL,
    event_id uuid,
    corrects_id uuid,
    made_by uuid,
    dedup_key text UNIQUE,
    at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX game_ledger_by_game ON game_ledger (game_id, id);
CREATE INDEX game_ledger_by_user ON game_ledger (game_id, user_id, id);
CREATE INDEX game_ledger_by_event ON game_ledger (event_id) WHERE event_id IS NOT NULL;
CREATE INDEX game_ledger_by_team ON game_ledger (game_id, team_id, at) WHERE team_id IS NOT NULL;

-- What a player has had of a rule: for once, caps, quiet intervals and streaks.
CREATE TABLE game_progress (
    game_id uuid NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    rule_key text NOT NULL,
    user_id uuid NOT NULL,
    times bigint NOT NULL,
    points bigint NOT NULL,
    last_at timestamptz,
    day_at timestamptz,
    day_points bigint NOT NULL,
    streak_days bigint NOT NULL,
    streak_longest bigint NOT NULL,
    streak_last timestamptz,
    PRIMARY KEY (game_id, user_id, rule_key)
);

-- Things for which a rule with `repeat: each` gave points.
CREATE TABLE game_things (
    game_id uuid NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    user_id uuid NOT NULL,
    rule_key text NOT NULL,
    thing text NOT NULL,
    PRIMARY KEY (game_id, user_id, rule_key, thing)
);

-- One leaderboard for each game and bucket of time, such as `all` or `week:2026-11-23`.
CREATE TABLE game_boards (
    id bigserial PRIMARY KEY,
    game_id uuid NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    bucket text NOT NULL
);
CREATE UNIQUE INDEX game_boards_by_bucket ON game_boards (game_id, bucket);

-- The sum of a player's ledger in a bucket; kept in the transaction of each entry.
CREATE TABLE game_standings (
    board_id bigint NOT NULL REFERENCES game_boards (id) ON DELETE CASCADE,
    user_id uuid NOT NULL,
    points bigint NOT NULL,
    reached_at timestamptz NOT NULL,
    listed boolean NOT NULL,
    PRIMARY KEY (board_id, user_id)
);
CREATE INDEX game_standings_by_user ON game_standings (user_id, board_id);

-- Listed players in order (level 0), and how many stand between two keys (levels above): ranks without counting all.
CREATE TABLE game_ranking (
    board_id bigint NOT NULL REFERENCES game_boards (id) ON DELETE CASCADE,
    level integer NOT NULL,
    key bytea NOT NULL,
    n bigint NOT NULL,
    PRIMARY KEY (board_id, level, key)
);

-- What each player earned for a team in a bucket, and the sums of that.
CREATE TABLE game_team_points (
    board_id bigint NOT NULL REFERENCES game_boards (id) ON DELETE CASCADE,
    team_id uuid NOT NULL,
    user_id uuid NOT NULL,
    points bigint NOT NULL,
    reached_at timestamptz NOT NULL,
    PRIMARY KEY (board_id, team_id, user_id)
);
CREATE TABLE game_team_totals (
    board_id bigint NOT NULL REFERENCES game_boards (id) ON DELETE CASCADE,
    team_id uuid NOT NULL,
    points bigint NOT NULL,
    reached_at timestamptz NOT NULL,
    PRIMARY KEY (board_id, team_id)
);

CREATE TABLE game_badges (
    id uuid NOT NULL,
    game_id uuid NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    title text NOT NULL,
    description text NOT NULL,
    design text NOT NULL,
    criteria text,
    award_on text,
    award_where text,
    revocation text NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX game_badges_by_game ON game_badges (game_id, id);

CREATE TABLE game_badge_awards (
    id uuid NOT NULL,
    badge_id uuid NOT NULL REFERENCES game_badges (id) ON DELETE CASCADE,
    game_id uuid NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    source text NOT NULL,
    reason text NOT NULL,
    event_id uuid,
    awarded_by uuid,
    awarded_at timestamptz NOT NULL,
    state text NOT NULL,
    revoked_at timestamptz,
    revoke_reason text,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX game_badge_awards_once ON game_badge_awards (badge_id, user_id) WHERE state <> 'revoked';
CREATE INDEX game_badge_awards_by_badge ON game_badge_awards (badge_id, id);
CREATE INDEX game_badge_awards_by_user ON game_badge_awards (user_id, id);
CREATE INDEX game_badge_awards_by_event ON game_badge_awards (event_id) WHERE event_id IS NOT NULL;

-- What somebody should look at: suspicious earning, causes that were corrected.
CREATE TABLE game_flags (
    id uuid NOT NULL,
    game_id uuid NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    user_id uuid NOT NULL,
    kind text NOT NULL,
    detail text NOT NULL,
    entry_id uuid,
    award_id uuid,
    state text NOT NULL,
    note text,
    resolved_by uuid,
    resolved_at timestamptz,
    at timestamptz NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX game_flags_by_state ON game_flags (game_id, state, id);
CREATE UNIQUE INDEX game_flags_open ON game_flags (game_id, user_id, kind) WHERE state = 'open' AND entry_id IS NULL AND award_id IS NULL;

CREATE TABLE game_matches (
    id uuid NOT NULL,
    game_id uuid NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    format text NOT NULL,
    round integer NOT NULL,
    slot integer NOT NULL,
    home_team_id uuid,
    away_team_id uuid,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    state text NOT NULL,
    home_score double precision,
    away_score double precision,
    winner_id uuid,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX game_matches_by_round ON game_matches (game_id, round, slot);
CREATE INDEX game_matches_due ON game_matches (ends_at) WHERE state = 'scheduled';

-- Who meets whom in the league of a period.
CREATE TABLE game_league_places (
    game_id uuid NOT NULL REFERENCES games (id) ON DELETE CASCADE,
    bucket text NOT NULL,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    tier integer NOT NULL,
    group_no integer NOT NULL,
    PRIMARY KEY (game_id, bucket, user_id)
);
CREATE INDEX game_league_places_by_group ON game_league_places (game_id, bucket, group_no);

-- Events that a reader of the log failed at; one that fails too often is passed over and stays here.
CREATE TABLE event_failures (
    consumer text NOT NULL,
    seq bigint NOT NULL,
    attempts integer NOT NULL,
    last_error text NOT NULL,
    skipped_at timestamptz,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (consumer, seq)
);

-- For replays, which read some kinds only.
CREATE INDEX events_by_kind ON events (kind, seq);
