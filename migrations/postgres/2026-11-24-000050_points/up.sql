-- A player's sums of all buckets are found side by side. Pages keep room for new versions of their rows, so that an entry
-- changes no index.
DROP INDEX game_standings_by_user;
ALTER TABLE game_standings DROP CONSTRAINT game_standings_pkey, ADD PRIMARY KEY (user_id, board_id);
ALTER TABLE game_standings SET (fillfactor = 80);
CREATE INDEX game_standings_by_board ON game_standings (board_id, user_id);

-- One key in 1024 divides counts now, no longer one in 32, so that a batch of moves touches two levels instead of five. The
-- keys of the new levels 1 and 2 are those of the old levels 2 and 4 (32² = 1024), and so are their counts.
DELETE FROM game_ranking WHERE level IN (1, 3, 5);
UPDATE game_ranking SET level = 1 WHERE level = 2;
UPDATE game_ranking SET level = 2 WHERE level = 4;
