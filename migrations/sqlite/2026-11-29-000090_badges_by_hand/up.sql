-- Whether somebody took the badge back by hand: then what it is for does not give it again by itself.
ALTER TABLE game_badge_awards ADD COLUMN revoked_by_hand INTEGER NOT NULL DEFAULT 0;
UPDATE game_badge_awards SET revoked_by_hand = 1
    WHERE state = 'revoked' AND revoke_reason <> 'Its cause was corrected or taken back.';
