-- A learner in a course, pinned to a revision. `facts_tag` changes with every change of the facts of the path.
CREATE TABLE enrollments (
    id uuid NOT NULL,
    course_id uuid NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    revision_id uuid REFERENCES course_revisions (id),
    revision integer NOT NULL,
    generation integer NOT NULL,
    status text NOT NULL,
    source text NOT NULL,
    enrolled_by uuid,
    waitlist_seq bigint,
    cohort_start_at timestamptz,
    enrolled_at timestamptz NOT NULL,
    started_at timestamptz,
    completed_at timestamptz,
    ended_at timestamptz,
    expires_at timestamptz,
    percent double precision NOT NULL,
    done_weight double precision NOT NULL,
    total_weight double precision NOT NULL,
    last_event_at timestamptz,
    facts_tag bigint NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (id)
);
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
    enrollment_id uuid NOT NULL REFERENCES enrollments (id) ON DELETE CASCADE,
    module_key text NOT NULL,
    data text NOT NULL,
    started_at timestamptz,
    completed_at timestamptz,
    score_percent double precision,
    PRIMARY KEY (enrollment_id, module_key)
);

-- Accepted learning events, append-only; `data` is the event as it was sent.
CREATE TABLE learning_events (
    enrollment_id uuid NOT NULL REFERENCES enrollments (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    module_key text NOT NULL,
    at timestamptz NOT NULL,
    data text NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (enrollment_id, id)
);

-- Branches chosen by learners, or by the engine for `route: auto`.
CREATE TABLE choices (
    enrollment_id uuid NOT NULL REFERENCES enrollments (id) ON DELETE CASCADE,
    stage_key text NOT NULL,
    branch_key text NOT NULL,
    at timestamptz NOT NULL,
    auto boolean NOT NULL,
    PRIMARY KEY (enrollment_id, stage_key, branch_key)
);

-- What staff granted: waivers, unlocks, more attempts, completion by hand.
CREATE TABLE overrides (
    id uuid NOT NULL,
    enrollment_id uuid NOT NULL REFERENCES enrollments (id) ON DELETE CASCADE,
    module_key text NOT NULL,
    kind text NOT NULL,
    amount integer,
    reason text,
    made_by uuid,
    at timestamptz NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX overrides_by_enrollment ON overrides (enrollment_id, id);

-- Quiz attempts; `answers` is JSON by item key.
CREATE TABLE attempts (
    id uuid NOT NULL,
    enrollment_id uuid NOT NULL REFERENCES enrollments (id) ON DELETE CASCADE,
    module_key text NOT NULL,
    number integer NOT NULL,
    state text NOT NULL,
    seed bigint NOT NULL,
    answers text NOT NULL,
    started_at timestamptz NOT NULL,
    deadline timestamptz,
    submitted_at timestamptz,
    points double precision,
    max_points double precision,
    score_percent double precision,
    passed boolean,
    version bigint NOT NULL,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX attempts_by_number ON attempts (enrollment_id, module_key, number);
CREATE INDEX attempts_overdue ON attempts (deadline) WHERE state = 'in_progress' AND deadline IS NOT NULL;

-- Proof of completion, issued in the completing transaction.
CREATE TABLE certificates (
    id uuid NOT NULL,
    serial text NOT NULL UNIQUE,
    enrollment_id uuid NOT NULL UNIQUE REFERENCES enrollments (id) ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    course_id uuid NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    holder text NOT NULL,
    title text NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    revoke_reason text,
    version bigint NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX certificates_by_user ON certificates (user_id, id);
CREATE INDEX certificates_by_course ON certificates (course_id, id);
