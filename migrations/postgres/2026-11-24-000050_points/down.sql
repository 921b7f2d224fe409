-- Fewer keys than one in 32 divide the lower levels until players move; every count is right all the same.
UPDATE game_ranking SET level = 4 WHERE level = 2;
UPDATE game_ranking SET level = 2 WHERE level = 1;
INSERT INTO game_ranking (board_id, level, key, n) SELECT board_id, level - 1, key, n FROM game_ranking WHERE level IN (2, 4);
INSERT INTO game_ranking (board_id, level, key, n) SELECT board_id, 5, ''::bytea, SUM(n) FROM game_ranking WHERE level = 4 GROUP BY board_id;

DROP INDEX game_standings_by_board;
ALTER TABLE game_standings RESET (fillfactor);
ALTER TABLE game_standings DROP CONSTRAINT game_standings_pkey, ADD PRIMARY KEY (board_id, user_id);
CREATE INDEX game_standings_by_user ON game_standings (user_id, board_id);
