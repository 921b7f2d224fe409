-- Frameworks of competencies. `source` and `source_title` are its identifier and name where it comes from; `edition` counts imports
-- and `framework_versions` tells what each of them changed.
CREATE TABLE frameworks (
    id TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    source TEXT,
    source_title TEXT,
    creator TEXT,
    source_version TEXT,
    edition INTEGER NOT NULL,
    competency_count INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_by TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE UNIQUE INDEX frameworks_by_source ON frameworks (source, source_title);
CREATE INDEX frameworks_by_update ON frameworks (updated_at, id);

CREATE TABLE framework_versions (
    id TEXT NOT NULL,
    framework_id TEXT NOT NULL REFERENCES frameworks (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    label TEXT,
    added INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    retired INTEGER NOT NULL,
    made_by TEXT,
    made_at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE UNIQUE INDEX framework_versions_by_number ON framework_versions (framework_id, number);

-- Competencies. `params`, `levels` and `rollup` are the domain's types as JSON; `mastered_at_least` is the threshold that follows from
-- the levels. What others refer to is retired, never deleted.
CREATE TABLE competencies (
    id TEXT NOT NULL,
    framework_id TEXT NOT NULL REFERENCES frameworks (id) ON DELETE CASCADE,
    parent_id TEXT REFERENCES competencies (id),
    key TEXT NOT NULL,
    title TEXT NOT NULL,
    title_key TEXT NOT NULL,
    description TEXT,
    code TEXT,
    kind TEXT,
    position INTEGER NOT NULL,
    method TEXT NOT NULL,
    params TEXT NOT NULL,
    levels TEXT NOT NULL,
    rollup TEXT,
    required INTEGER NOT NULL,
    points REAL NOT NULL,
    mastered_at_least REAL NOT NULL,
    retired_at INTEGER,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE UNIQUE INDEX competencies_by_key ON competencies (framework_id, key);
CREATE INDEX competencies_by_framework ON competencies (framework_id, id);
CREATE INDEX competencies_by_parent ON competencies (parent_id, id);
CREATE INDEX competencies_by_update ON competencies (updated_at, id);

-- What graded work and people's judgement prove, one row for each piece of work and competency. `at` is when the work was submitted.
CREATE TABLE evidence (
    id TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    competency_id TEXT NOT NULL REFERENCES competencies (id),
    score REAL NOT NULL,
    weight REAL NOT NULL,
    at INTEGER NOT NULL,
    source_kind TEXT NOT NULL,
    source_id TEXT NOT NULL,
    course_id TEXT,
    enrollment_id TEXT,
    module_key TEXT,
    note TEXT,
    made_by TEXT,
    recorded_at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX evidence_by_user ON evidence (user_id, competency_id, id);
CREATE INDEX evidence_of_user ON evidence (user_id, id);
CREATE INDEX evidence_by_competency ON evidence (competency_id, user_id);
CREATE UNIQUE INDEX evidence_by_source ON evidence (source_id, module_key, competency_id);

-- How far everybody has come, kept current in the transaction of the evidence.
CREATE TABLE mastery (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    competency_id TEXT NOT NULL REFERENCES competencies (id) ON DELETE CASCADE,
    value REAL,
    level TEXT,
    evidence_count INTEGER NOT NULL,
    mastered_at INTEGER,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, competency_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX mastery_by_competency ON mastery (competency_id, user_id);

-- Which competencies a published revision teaches, assesses, or asks about in its conditions.
CREATE TABLE revision_competencies (
    competency_id TEXT NOT NULL REFERENCES competencies (id) ON DELETE CASCADE,
    revision_id TEXT NOT NULL REFERENCES course_revisions (id) ON DELETE CASCADE,
    touch TEXT NOT NULL,
    course_id TEXT NOT NULL,
    weight REAL NOT NULL,
    PRIMARY KEY (competency_id, revision_id, touch)
) STRICT, WITHOUT ROWID;

-- What a course or a goal requires, and by when; `behind_days` is when falling behind is told.
CREATE TABLE competency_targets (
    id TEXT NOT NULL,
    scope_kind TEXT NOT NULL,
    scope_id TEXT NOT NULL,
    competency_id TEXT NOT NULL REFERENCES competencies (id) ON DELETE CASCADE,
    at_least REAL NOT NULL,
    level TEXT,
    due_at INTEGER,
    due_days INTEGER,
    behind_days INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE UNIQUE INDEX competency_targets_by_scope ON competency_targets (scope_id, competency_id);
CREATE INDEX competency_targets_by_competency ON competency_targets (competency_id);

-- Who was told to be behind on a target, until they catch up.
CREATE TABLE behind_marks (
    target_id TEXT NOT NULL REFERENCES competency_targets (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    told_at INTEGER NOT NULL,
    PRIMARY KEY (target_id, user_id)
) STRICT, WITHOUT ROWID;

-- Job roles: what somebody should master.
CREATE TABLE goals (
    id TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_by TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;

CREATE TABLE goal_learners (
    goal_id TEXT NOT NULL REFERENCES goals (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    assigned_by TEXT,
    assigned_at INTEGER NOT NULL,
    PRIMARY KEY (goal_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX goal_learners_by_user ON goal_learners (user_id, goal_id);

-- Practice mode: estimates of ability and difficulty in logits, and the answers that moved them.
CREATE TABLE practice_abilities (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    course_id TEXT NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    logit REAL NOT NULL,
    answers INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, course_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE practice_items (
    course_id TEXT NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    module_key TEXT NOT NULL,
    item_key TEXT NOT NULL,
    logit REAL NOT NULL,
    answers INTEGER NOT NULL,
    PRIMARY KEY (course_id, module_key, item_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE practice_answers (
    id TEXT NOT NULL,
    enrollment_id TEXT NOT NULL REFERENCES enrollments (id) ON DELETE CASCADE,
    module_key TEXT NOT NULL,
    item_key TEXT NOT NULL,
    score REAL NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX practice_answers_by_enrollment ON practice_answers (enrollment_id, module_key, item_key);

-- The learners of a course by id, for pages of the mastery matrix.
CREATE INDEX enrollments_by_learner ON enrollments (course_id, user_id);

-- What a person changed of an attempt's grade, as JSON.
ALTER TABLE attempts ADD COLUMN correction TEXT;
