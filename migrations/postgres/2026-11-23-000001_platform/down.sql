DROP TABLE idempotency_keys;
DROP TABLE jobs;
DROP TABLE event_cursors;
DROP TABLE events;
DROP TABLE signing_keys;
DROP TABLE settings;
