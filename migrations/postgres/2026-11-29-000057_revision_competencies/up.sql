-- What a course is about is asked by its newest revision; the primary key begins with the competency.
CREATE INDEX revision_competencies_by_revision ON revision_competencies (revision_id);
