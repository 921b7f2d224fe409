DROP TABLE group_enrollments;
DROP TABLE group_members;
DROP TABLE group_paths;
DROP TABLE groups;
DROP INDEX role_grants_by_role;
DROP INDEX users_by_employee_number;
ALTER TABLE users DROP COLUMN employee_number;
