ALTER TABLE game_ledger ADD CONSTRAINT game_ledger_game_id_fkey FOREIGN KEY (game_id) REFERENCES games (id) ON DELETE CASCADE;
ALTER TABLE game_standings ADD CONSTRAINT game_standings_board_id_fkey FOREIGN KEY (board_id) REFERENCES game_boards (id)
    ON DELETE CASCADE;
