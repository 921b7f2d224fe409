-- The number that the company itself gives to an employee; the HR system's own id is `external_id`.
ALTER TABLE users ADD COLUMN employee_number text;
CREATE UNIQUE INDEX users_by_employee_number ON users (employee_number);
CREATE INDEX role_grants_by_role ON role_grants (role, reach, user_id);

-- Groups: static, dynamic (members follow from `condition`) and units, which form a tree. `name_key` is the name in lower case.
-- While a new condition is applied to all users, `evaluating` is set and `evaluated_until` is the last user looked at.
CREATE TABLE groups (
    id uuid NOT NULL,
    external_id text UNIQUE,
    name text NOT NULL,
    name_key text NOT NULL,
    kind text NOT NULL,
    parent_id uuid REFERENCES groups (id),
    depth integer NOT NULL,
    condition jsonb,
    evaluated_until uuid,
    evaluating boolean NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX groups_by_parent ON groups (parent_id, id);
CREATE INDEX groups_by_kind ON groups (kind, id);
CREATE INDEX groups_by_name ON groups (name_key, id);
CREATE INDEX groups_by_update ON groups (updated_at, id);

-- Each group with itself (distance 0) and every unit above it, so that "with all below" is one join.
CREATE TABLE group_paths (
    group_id uuid NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    ancestor_id uuid NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    distance integer NOT NULL,
    PRIMARY KEY (group_id, ancestor_id)
);
CREATE INDEX group_paths_by_ancestor ON group_paths (ancestor_id, group_id);

-- Who is in which group.
CREATE TABLE group_members (
    group_id uuid NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    joined_at timestamptz NOT NULL,
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX group_members_by_user ON group_members (user_id, group_id);

-- Courses assigned to groups. While those who are in the group already are enrolled, or let go, `state` says so and `done_until`
-- is the last member looked at.
CREATE TABLE group_enrollments (
    course_id uuid NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    group_id uuid NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    withdraw_on_leave boolean NOT NULL,
    state text NOT NULL,
    done_until uuid,
    made_by uuid,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (course_id, group_id)
);
CREATE INDEX group_enrollments_by_group ON group_enrollments (group_id, course_id);
