-- Without keys that divide the counts the ranking counts all of a board: right, and slow until it is filled anew.
CREATE TABLE game_ranking (
    board_id INTEGER NOT NULL REFERENCES game_boards (id) ON DELETE CASCADE,
    level INTEGER NOT NULL,
    key BLOB NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (board_id, level, key)
) STRICT, WITHOUT ROWID;
INSERT INTO game_ranking (board_id, level, key, n)
    SELECT board_id, 0, unhex(printf('%016x', CASE WHEN points < 0 THEN -1 - points - 9223372036854775807 - 1
            ELSE -1 - points + 9223372036854775807 + 1 END)
        || printf('%016x', CASE WHEN reached_at >= 0 THEN reached_at - 9223372036854775807 - 1
            ELSE reached_at + 9223372036854775807 + 1 END) || replace(user_id, '-', '')), 1
    FROM game_standings WHERE listed;
INSERT INTO game_ranking (board_id, level, key, n) SELECT id, 1, x'', players FROM game_boards;
INSERT INTO game_ranking (board_id, level, key, n) SELECT id, 2, x'', players FROM game_boards;
DROP TABLE game_moves;
ALTER TABLE game_boards DROP COLUMN moved;
ALTER TABLE game_boards DROP COLUMN stamp;
ALTER TABLE game_boards DROP COLUMN players;
