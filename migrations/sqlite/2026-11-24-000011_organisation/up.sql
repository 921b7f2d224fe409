-- The number that the company itself gives to an employee; the HR system's own id is `external_id`.
ALTER TABLE users ADD COLUMN employee_number TEXT;
CREATE UNIQUE INDEX users_by_employee_number ON users (employee_number);
CREATE INDEX role_grants_by_role ON role_grants (role, reach, user_id);

-- Groups: static, dynamic (members follow from `condition`) and units, which form a tree. `name_key` is the name in lower case.
-- While a new condition is applied to all users, `evaluating` is set and `evaluated_until` is the last user looked at.
CREATE TABLE groups (
    id TEXT NOT NULL,
    external_id TEXT UNIQUE,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    kind TEXT NOT NULL,
    parent_id TEXT REFERENCES groups (id),
    depth INTEGER NOT NULL,
    condition TEXT,
    evaluated_until TEXT,
    evaluating INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX groups_by_parent ON groups (parent_id, id);
CREATE INDEX groups_by_kind ON groups (kind, id);
CREATE INDEX groups_by_name ON groups (name_key, id);
CREATE INDEX groups_by_update ON groups (updated_at, id);

-- Each group with itself (distance 0) and every unit above it, so that "with all below" is one join.
CREATE TABLE group_paths (
    group_id TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    ancestor_id TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    distance INTEGER NOT NULL,
    PRIMARY KEY (group_id, ancestor_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_paths_by_ancestor ON group_paths (ancestor_id, group_id);

-- Who is in which group.
CREATE TABLE group_members (
    group_id TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    joined_at INTEGER NOT NULL,
    PRIMARY KEY (group_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_members_by_user ON group_members (user_id, group_id);

-- Courses assigned to groups. While those who are in the group already are enrolled, or let go, `state` says so and `done_until`
-- is the last member looked at.
CREATE TABLE group_enrollments (
    course_id TEXT NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    group_id TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    withdraw_on_leave INTEGER NOT NULL,
    state TEXT NOT NULL,
    done_until TEXT,
    made_by TEXT,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (course_id, group_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_enrollments_by_group ON group_enrollments (group_id, course_id);
