-- What was already taken back of an entry is summed before more is.
CREATE INDEX game_ledger_by_corrected ON game_ledger (corrects_id) WHERE corrects_id IS NOT NULL;
