ALTER TABLE game_standings DROP COLUMN earned_on;
