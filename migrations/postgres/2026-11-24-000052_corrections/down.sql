DROP INDEX game_ledger_by_corrected;
