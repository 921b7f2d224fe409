-- Which events can be read in order. Positions are drawn before the commit, and a transaction that draws a lower one may commit
-- after one that drew a higher one; transaction ids do not tell, since they are given at the first write, often long before.
-- So whoever appends first holds a shared lock whose number says how far the sequence had come, until its end. All events up
-- to the least of those numbers are there.
CREATE FUNCTION events_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Once for each transaction: the first lock tells of the lowest position, and thousands would fill the table of locks. Both
    -- are gone when the savepoint that they were made in is rolled back.
    IF coalesce(current_setting('cairn.events_held', true), '') = '' THEN
        -- 'EVT', then forty bits of position.
        PERFORM pg_advisory_xact_lock_shared((4544084::bigint << 40) | (SELECT last_value FROM events_seq_seq));
        PERFORM set_config('cairn.events_held', 'yes', true);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER events_hold BEFORE INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION events_hold();

-- The last position up to which no event can appear any more. The order of the two looks matters: who holds no lock yet at the
-- second draws a position after the first. Events must be read by a later statement, with a later snapshot.
CREATE FUNCTION events_settled() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    drawn bigint;
    held bigint;
BEGIN
    SELECT last_value INTO drawn FROM events_seq_seq;
    SELECT min(((classid::bigint << 32) | objid::bigint) & 1099511627775) INTO held FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint >> 8 = 4544084
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
    RETURN least(drawn, held);
END $$;
