-- Courses with their draft outline (JSON text).
CREATE TABLE courses (
    id TEXT NOT NULL,
    external_id TEXT UNIQUE,
    title TEXT NOT NULL,
    title_key TEXT NOT NULL,
    summary TEXT NOT NULL,
    style TEXT NOT NULL,
    delivery_mode TEXT NOT NULL,
    language TEXT NOT NULL,
    enrollment_policy TEXT NOT NULL,
    access_code TEXT,
    seats INTEGER,
    issues_certificate INTEGER NOT NULL,
    certificate_valid_days INTEGER,
    status TEXT NOT NULL,
    latest_revision INTEGER NOT NULL,
    draft TEXT NOT NULL,
    waitlist_counter INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_by TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    published_at INTEGER,
    archived_at INTEGER,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX courses_by_status ON courses (status, id);
CREATE INDEX courses_by_style ON courses (style, id);
CREATE INDEX courses_by_update ON courses (updated_at, id);

-- Published, immutable outlines.
CREATE TABLE course_revisions (
    id TEXT NOT NULL,
    course_id TEXT NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    style TEXT NOT NULL,
    outline TEXT NOT NULL,
    module_count INTEGER NOT NULL,
    notes TEXT,
    published_by TEXT,
    published_at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE UNIQUE INDEX course_revisions_by_number ON course_revisions (course_id, number);
