-- Frameworks of competencies. `source` and `source_title` are its identifier and name where it comes from; `edition` counts imports
-- and `framework_versions` tells what each of them changed.
CREATE TABLE frameworks (
    id uuid NOT NULL,
    title text NOT NULL,
    description text NOT NULL,
    source text,
    source_title text,
    creator text,
    source_version text,
    edition integer NOT NULL,
    competency_count integer NOT NULL,
    version bigint NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX frameworks_by_source ON frameworks (source, source_title);
CREATE INDEX frameworks_by_update ON frameworks (updated_at, id);

CREATE TABLE framework_versions (
    id uuid NOT NULL,
    framework_id uuid NOT NULL REFERENCES frameworks (id) ON DELETE CASCADE,
    number integer NOT NULL,
    label text,
    added integer NOT NULL,
    changed integer NOT NULL,
    retired integer NOT NULL,
    made_by uuid,
    made_at timestamptz NOT NULL,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX framework_versions_by_number ON framework_versions (framework_id, number);

-- Competencies. `params`, `levels` and `rollup` are the domain's types as JSON; `mastered_at_least` is the threshold that follows from
-- the levels. What others refer to is retired, never deleted.
CREATE TABLE competencies (
    id uuid NOT NULL,
    framework_id uuid NOT NULL REFERENCES frameworks (id) ON DELETE CASCADE,
    parent_id uuid REFERENCES competencies (id),
    key text NOT NULL,
    title text NOT NULL,
    title_key text NOT NULL,
    description text,
    code text,
    kind text,
    position integer NOT NULL,
    method text NOT NULL,
    params text NOT NULL,
    levels text NOT NULL,
    rollup text,
    required boolean NOT NULL,
    points double precision NOT NULL,
    mastered_at_least double precision NOT NULL,
    retired_at timestamptz,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX competencies_by_key ON competencies (framework_id, key);
CREATE INDEX competencies_by_framework ON competencies (framework_id, id);
CREATE INDEX competencies_by_parent ON competencies (parent_id, id);
CREATE INDEX competencies_by_update ON competencies (updated_at, id);

-- What graded work and people's judgement prove, one row for each piece of work and competency. `at` is when the work was submitted.
CREATE TABLE evidence (
    id uuid NOT NULL,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    competency_id uuid NOT NULL REFERENCES competencies (id),
    score double precision NOT NULL,
    weight double precision NOT NULL,
    at timestamptz NOT NULL,
    source_kind text NOT NULL,
    source_id uuid NOT NULL,
    course_id uuid,
    enrollment_id uuid,
    module_key text,
    note text,
    made_by uuid,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX evidence_by_user ON evidence (user_id, competency_id, id);
CREATE INDEX evidence_of_user ON evidence (user_id, id);
CREATE INDEX evidence_by_competency ON evidence (competency_id, user_id);
CREATE UNIQUE INDEX evidence_by_source ON evidence (source_id, module_key, competency_id);

-- How far everybody has come, kept current in the transaction of the evidence.
CREATE TABLE mastery (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    competency_id uuid NOT NULL REFERENCES competencies (id) ON DELETE CASCADE,
    value double precision,
    level text,
    evidence_count integer NOT NULL,
    mastered_at timestamptz,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, competency_id)
);
CREATE INDEX mastery_by_competency ON mastery (competency_id, user_id);

-- Which competencies a published revision teaches, assesses, or asks about in its conditions.
CREATE TABLE revision_competencies (
    competency_id uuid NOT NULL REFERENCES competencies (id) ON DELETE CASCADE,
    revision_id uuid NOT NULL REFERENCES course_revisions (id) ON DELETE CASCADE,
    touch text NOT NULL,
    course_id uuid NOT NULL,
    weight double precision NOT NULL,
    PRIMARY KEY (competency_id, revision_id, touch)
);

-- What a course or a goal requires, and by when; `behind_days` is when falling behind is told.
CREATE TABLE competency_targets (
    id uuid NOT NULL,
    scope_kind text NOT NULL,
    scope_id uuid NOT NULL,
    competency_id uuid NOT NULL REFERENCES competencies (id) ON DELETE CASCADE,
    at_least double precision NOT NULL,
    level text,
    due_at timestamptz,
    due_days integer,
    behind_days integer NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX competency_targets_by_scope ON competency_targets (scope_id, competency_id);
CREATE INDEX competency_targets_by_competency ON competency_targets (competency_id);

-- Who was told to be behind on a target, until they catch up.
CREATE TABLE behind_marks (
    target_id uuid NOT NULL REFERENCES competency_targets (id) ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    told_at timestamptz NOT NULL,
    PRIMARY KEY (target_id, user_id)
);

-- Job roles: what somebody should master.
CREATE TABLE goals (
    id uuid NOT NULL,
    title text NOT NULL,
    description text NOT NULL,
    version bigint NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE goal_learners (
    goal_id uuid NOT NULL REFERENCES goals (id) ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    assigned_by uuid,
    assigned_at timestamptz NOT NULL,
    PRIMARY KEY (goal_id, user_id)
);
CREATE INDEX goal_learners_by_user ON goal_learners (user_id, goal_id);

-- Practice mode: estimates of ability and difficulty in logits, and the answers that moved them.
CREATE TABLE practice_abilities (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    course_id uuid NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    logit double precision NOT NULL,
    answers integer NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, course_id)
);

CREATE TABLE practice_items (
    course_id uuid NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    module_key text NOT NULL,
    item_key text NOT NULL,
    logit double precision NOT NULL,
    answers integer NOT NULL,
    PRIMARY KEY (course_id, module_key, item_key)
);

CREATE TABLE practice_answers (
    id uuid NOT NULL,
    enrollment_id uuid NOT NULL REFERENCES enrollments (id) ON DELETE CASCADE,
    module_key text NOT NULL,
    item_key text NOT NULL,
    score double precision NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX practice_answers_by_enrollment ON practice_answers (enrollment_id, module_key, item_key);

-- The learners of a course by id, for pages of the mastery matrix.
CREATE INDEX enrollments_by_learner ON enrollments (course_id, user_id);

-- What a person changed of an attempt's grade, as JSON.
ALTER TABLE attempts ADD COLUMN correction text;
