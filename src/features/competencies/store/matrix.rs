//! SQL about many learners at once: pages of a class, and what they master.

use diesel::{ExpressionMethods, JoinOnDsl, QueryDsl, RunQueryDsl};
use uuid::Uuid;

use super::ids;
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::db::schema::{enrollments, mastery, users};
use crate::db::types::Id;
use crate::db::units::people_of;
use crate::error::AppResult;

/// A learner: id, given name, family name.
pub type Learner = (Uuid, String, String);

/// A page of the learners of a course, in order of id: an index is walked from where the last page ended.
pub fn learners(conn: &mut Conn, course: Uuid, group: Option<Uuid>, page: &PageRequest) -> AppResult<Rows<Learner>> {
    let mut query = enrollments::table
        .inner_join(users::table.on(users::id.eq(enrollments::user_id)))
        .filter(enrollments::course_id.eq(Id(course)))
        .filter(enrollments::status.eq_any(["active", "completed"]))
        .order(enrollments::user_id)
        .select((enrollments::user_id, users::given_name, users::family_name))
        .distinct()
        .limit(page.fetch())
        .into_boxed();
    if let Some(group) = group {
        query = query.filter(enrollments::user_id.eq_any(people_of(&[group])));
    }
    if let Some(after) = page.after {
        query = query.filter(enrollments::user_id.gt(Id(after)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row: &Learner| row.0))
}

/// A cell: learner, competency, mastery.
pub type Cell = (Uuid, Uuid, Option<f64>);

/// What these people master of these competencies.
pub fn cells(conn: &mut Conn, people: &[Uuid], columns: &[Uuid]) -> AppResult<Vec<Cell>> {
    Ok(mastery::table
        .filter(mastery::user_id.eq_any(ids(people)))
        .filter(mastery::competency_id.eq_any(ids(columns)))
        .select((mastery::user_id, mastery::competency_id, mastery::value))
        .load(conn)?)
}
