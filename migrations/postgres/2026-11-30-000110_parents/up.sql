-- Entries are booked, and boards made, by who holds the lock of their game's row, and a game that has entries is not deleted. To look
-- up the game once more for each entry was a third of what an entry cost, and the boards of a new player as much again.
ALTER TABLE game_ledger DROP CONSTRAINT game_ledger_game_id_fkey;
ALTER TABLE game_standings DROP CONSTRAINT game_standings_board_id_fkey;
