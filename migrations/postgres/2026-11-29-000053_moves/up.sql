-- Who stands where is kept in order by each server's memory, from the sums and from what moved since: the moves of each
-- transaction, one row for each board. `upto` counts the board's moves up to and with these; `stamp` tells a transaction from one
-- that was rolled back. The order itself no longer lies in the database, where every entry changed a page of each of four boards.
ALTER TABLE game_boards ADD COLUMN moved bigint NOT NULL DEFAULT 0, ADD COLUMN stamp bigint NOT NULL DEFAULT 0,
    ADD COLUMN players bigint NOT NULL DEFAULT 0;
UPDATE game_boards SET players = (SELECT COUNT(*) FROM game_standings s WHERE s.board_id = game_boards.id AND s.listed);
CREATE TABLE game_moves (
    board_id bigint NOT NULL REFERENCES game_boards (id) ON DELETE CASCADE,
    upto bigint NOT NULL,
    stamp bigint NOT NULL,
    moves bytea NOT NULL,
    PRIMARY KEY (board_id, upto)
);
DROP TABLE game_ranking;
