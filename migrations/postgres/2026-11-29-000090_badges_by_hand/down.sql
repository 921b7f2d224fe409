ALTER TABLE game_badge_awards DROP COLUMN revoked_by_hand;
