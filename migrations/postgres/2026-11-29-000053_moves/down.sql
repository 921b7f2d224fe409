-- Without keys that divide the counts the ranking counts all of a board: right, and slow until it is filled anew.
CREATE TABLE game_ranking (
    board_id bigint NOT NULL REFERENCES game_boards (id) ON DELETE CASCADE,
    level integer NOT NULL,
    key bytea NOT NULL,
    n bigint NOT NULL,
    PRIMARY KEY (board_id, level, key)
);
INSERT INTO game_ranking (board_id, level, key, n)
    SELECT board_id, 0, int8send((-1 - points) # (-9223372036854775807 - 1))
        || int8send((EXTRACT(EPOCH FROM reached_at) * 1000000)::bigint # (-9223372036854775807 - 1)) || uuid_send(user_id), 1
    FROM game_standings WHERE listed;
INSERT INTO game_ranking (board_id, level, key, n) SELECT id, level, ''::bytea, players FROM game_boards CROSS JOIN (VALUES (1), (2)) AS l(level);
DROP TABLE game_moves;
ALTER TABLE game_boards DROP COLUMN moved, DROP COLUMN stamp, DROP COLUMN players;
