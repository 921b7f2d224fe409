-- A learner in a course, pinned to a revision. `facts_tag` changes with every change of the facts of the path.
CREATE TABLE enrollments (
    id TEXT NOT NULL,
    course_id TEXT NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    revision_id TEXT REFERENCES course_revisions (id),
    revision INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    status TEXT NOT NULL,
    source TEXT NOT NULL,
    enrolled_by TEXT,
    waitlist_seq INTEGER,
    cohort_start_at INTEGER,
    enrolled_at INTEGER NOT NULL,
    started_at INTEGER,
    completed_at INTEGER,
    ended_at INTEGER,
    expires_at INTEGER,
    percent REAL NOT NULL,
    done_weight REAL NOT NULL,
    total_weight REAL NOT NULL,
    last_event_at INTEGER,
    facts_tag INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE UNIQUE INDEX enrollments_by_generation ON enrollments (user_id, course_id, generation);
CREATE UNIQUE INDEX enrollments_one_live ON enrollments (course_id, user_id) WHERE status IN ('waitlisted', 'pending', 'active');
CREATE INDEX enrollments_by_course ON enrollments (course_id, status, id);
CREATE INDEX enrollments_by_user ON enrollments (user_id, id);
CREATE INDEX enrollments_by_status ON enrollments (status, id);
CREATE INDEX enrollments_waiting ON enrollments (course_id, waitlist_seq) WHERE status = 'waitlisted';
CREATE INDEX enrollments_by_update ON enrollments (updated_at, id);
CREATE INDEX enrollments_by_expiry ON enrollments (expires_at) WHERE expires_at IS NOT NULL;

-- What is known of a learner in a module; `data` is the domain's ModuleRecord as JSON.
CREATE TABLE module_records (
    enrollment_id TEXT NOT NULL REFERENCES enrollments (id) ON DELETE CASCADE,
    module_key TEXT NOT NULL,
    data TEXT NOT NULL,
    started_at INTEGER,
    completed_at INTEGER,
    score_percent REAL,
    PRIMARY KEY (enrollment_id, module_key)
) STRICT, WITHOUT ROWID;

-- Accepted learning events, append-only; `data` is the event as it was sent.
CREATE TABLE learning_events (
    enrollment_id TEXT NOT NULL REFERENCES enrollments (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    module_key TEXT NOT NULL,
    at INTEGER NOT NULL,
    data TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (enrollment_id, id)
) STRICT, WITHOUT ROWID;

-- Branches chosen by learners, or by the engine for `route: auto`.
CREATE TABLE choices (
    enrollment_id TEXT NOT NULL REFERENCES enrollments (id) ON DELETE CASCADE,
    stage_key TEXT NOT NULL,
    branch_key TEXT NOT NULL,
    at INTEGER NOT NULL,
    auto INTEGER NOT NULL,
    PRIMARY KEY (enrollment_id, stage_key, branch_key)
) STRICT, WITHOUT ROWID;

-- What staff granted: waivers, unlocks, more attempts, completion by hand.
CREATE TABLE overrides (
    id TEXT NOT NULL,
    enrollment_id TEXT NOT NULL REFERENCES enrollments (id) ON DELETE CASCADE,
    module_key TEXT NOT NULL,
    kind TEXT NOT NULL,
    amount INTEGER,
    reason TEXT,
    made_by TEXT,
    at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX overrides_by_enrollment ON overrides (enrollment_id, id);

-- Quiz attempts; `answers` is JSON by item key.
CREATE TABLE attempts (
    id TEXT NOT NULL,
    enrollment_id TEXT NOT NULL REFERENCES enrollments (id) ON DELETE CASCADE,
    module_key TEXT NOT NULL,
    number INTEGER NOT NULL,
    state TEXT NOT NULL,
    seed INTEGER NOT NULL,
    answers TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    deadline INTEGER,
    submitted_at INTEGER,
    points REAL,
    max_points REAL,
    score_percent REAL,
    passed INTEGER,
    version INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE UNIQUE INDEX attempts_by_number ON attempts (enrollment_id, module_key, number);
CREATE INDEX attempts_overdue ON attempts (deadline) WHERE state = 'in_progress' AND deadline IS NOT NULL;

-- Proof of completion, issued in the completing transaction.
CREATE TABLE certificates (
    id TEXT NOT NULL,
    serial TEXT NOT NULL UNIQUE,
    enrollment_id TEXT NOT NULL UNIQUE REFERENCES enrollments (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    course_id TEXT NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    holder TEXT NOT NULL,
    title TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    revoke_reason TEXT,
    version INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX certificates_by_user ON certificates (user_id, id);
CREATE INDEX certificates_by_course ON certificates (course_id, id);
