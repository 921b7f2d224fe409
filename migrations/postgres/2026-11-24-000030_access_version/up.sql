-- SQLite alone keeps a version of who may do what; see its migration of this name. Here nothing raises it and nothing reads it.
CREATE TABLE access_version (
    id bigint NOT NULL PRIMARY KEY CHECK (id = 1),
    version bigint NOT NULL
);
