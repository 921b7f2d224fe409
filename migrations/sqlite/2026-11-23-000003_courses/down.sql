DROP TABLE course_revisions;
DROP TABLE courses;
