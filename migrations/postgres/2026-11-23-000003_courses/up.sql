-- Courses with their draft outline (JSON text).
CREATE TABLE courses (
    id uuid NOT NULL,
    external_id text UNIQUE,
    title text NOT NULL,
    title_key text NOT NULL,
    summary text NOT NULL,
    style text NOT NULL,
    delivery_mode text NOT NULL,
    language text NOT NULL,
    enrollment_policy text NOT NULL,
    access_code text,
    seats integer,
    issues_certificate boolean NOT NULL,
    certificate_valid_days integer,
    status text NOT NULL,
    latest_revision integer NOT NULL,
    draft text NOT NULL,
    waitlist_counter bigint NOT NULL,
    version bigint NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    published_at timestamptz,
    archived_at timestamptz,
    PRIMARY KEY (id)
);
CREATE INDEX courses_by_status ON courses (status, id);
CREATE INDEX courses_by_style ON courses (style, id);
CREATE INDEX courses_by_update ON courses (updated_at, id);

-- Published, immutable outlines.
CREATE TABLE course_revisions (
    id uuid NOT NULL,
    course_id uuid NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    number integer NOT NULL,
    style text NOT NULL,
    outline text NOT NULL,
    module_count integer NOT NULL,
    notes text,
    published_by uuid,
    published_at timestamptz NOT NULL,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX course_revisions_by_number ON course_revisions (course_id, number);
