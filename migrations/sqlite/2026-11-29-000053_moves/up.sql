-- Who stands where is kept in order by each server's memory, from the sums and from what moved since: the moves of each
-- transaction, one row for each board. `upto` counts the board's moves up to and with these; `stamp` tells a transaction from one
-- that was rolled back. The order itself no longer lies in the database, where every entry changed a page of each of four boards.
ALTER TABLE game_boards ADD COLUMN moved INTEGER NOT NULL DEFAULT 0;
ALTER TABLE game_boards ADD COLUMN stamp INTEGER NOT NULL DEFAULT 0;
ALTER TABLE game_boards ADD COLUMN players INTEGER NOT NULL DEFAULT 0;
UPDATE game_boards SET players = (SELECT COUNT(*) FROM game_standings s WHERE s.board_id = game_boards.id AND s.listed);
CREATE TABLE game_moves (
    board_id INTEGER NOT NULL REFERENCES game_boards (id) ON DELETE CASCADE,
    upto INTEGER NOT NULL,
    stamp INTEGER NOT NULL,
    moves BLOB NOT NULL,
    PRIMARY KEY (board_id, upto)
) STRICT;
DROP TABLE game_ranking;
