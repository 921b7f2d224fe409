"""What must hold in the tables whenever the server died: each statement counts rows that only half a write can have made."""
import contextlib
import sqlite3

HALF_WRITTEN = {
    "completed without a certificate":
        "SELECT count(*) FROM enrollments e JOIN courses c ON c.id = e.course_id WHERE e.status = 'completed' AND c.issues_certificate "
        "AND NOT EXISTS (SELECT 1 FROM certificates x WHERE x.enrollment_id = e.id)",
    "a certificate without a completed enrollment":
        "SELECT count(*) FROM certificates x WHERE NOT EXISTS "
        "(SELECT 1 FROM enrollments e WHERE e.id = x.enrollment_id AND e.status = 'completed')",
    "completed, and the event log does not know":
        "SELECT count(*) FROM enrollments e WHERE e.status = 'completed' AND 1 <> "
        "(SELECT count(*) FROM events v WHERE v.kind = 'course.completed' AND v.course_id = e.course_id AND v.user_id = e.user_id)",
    "an enrollment that the event log does not know":
        "SELECT count(*) FROM enrollments e WHERE 1 <> "
        "(SELECT count(*) FROM events v WHERE v.kind = 'enrollment.created' AND v.subject_id = e.id)",
    "a learning event without a record of its module":
        "SELECT count(*) FROM learning_events l WHERE NOT EXISTS "
        "(SELECT 1 FROM module_records r WHERE r.enrollment_id = l.enrollment_id AND r.module_key = l.module_key)",
    "a graded attempt without a score":
        "SELECT count(*) FROM attempts WHERE state = 'graded' AND score_percent IS NULL",
    "a user without a role, or unknown to the event log":
        "SELECT count(*) FROM users u WHERE u.email <> 'admin@example.org' AND "
        "(NOT EXISTS (SELECT 1 FROM role_grants g WHERE g.user_id = u.id) OR 1 <> "
        "(SELECT count(*) FROM events v WHERE v.kind = 'user.created' AND v.subject_id = u.id))",
}


def half_written(url, cluster):
    """Faults that the tables show by themselves."""
    if cluster:
        return [f"{count}x {what}" for what, sql in HALF_WRITTEN.items() if (count := cluster.count(sql))]
    with contextlib.closing(sqlite3.connect(f"file:{url.removeprefix('sqlite:')}?mode=ro", uri=True)) as file:
        found = {what: file.execute(sql).fetchone()[0] for what, sql in HALF_WRITTEN.items()}
        found["damage in the file"] = int(file.execute("PRAGMA integrity_check").fetchone()[0] != "ok")
        found["a reference to nothing"] = len(file.execute("PRAGMA foreign_key_check").fetchall())
        return [f"{count}x {what}" for what, count in found.items() if count]
