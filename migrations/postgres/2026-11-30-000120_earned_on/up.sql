-- On the board of all time, the last day of the player's streak (days since 1970): whoever earns once more on that day need not be
-- looked up among the players. Not known of older rows until they earn again.
ALTER TABLE game_standings ADD COLUMN earned_on integer;
