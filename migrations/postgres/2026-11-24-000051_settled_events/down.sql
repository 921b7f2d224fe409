DROP TRIGGER events_hold ON events;
DROP FUNCTION events_hold();
DROP FUNCTION events_settled();
