//! SQL about many learners at once: pages of a class, and what they master.

use diesel::dsl::exists;
use diesel::{ExpressionMethods, JoinOnDsl, QueryDsl, RunQueryDsl};
use uuid::Uuid;

use super::ids;
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::db::schema::{enrollments, group_enrollments, group_members, group_paths, mastery, users};
use crate::db::types::Id;
use crate::error::AppResult;
use crate::per_backend;

/// A learner: id, given name, family name.
pub type Learner = (Uuid, String, String);

/// Those who learn, or have learnt, in a course.
const LEARNING: [&str; 2] = ["active", "completed"];

/// A page of the learners of a course, in order of id: an index is walked from where the last page ended.
pub fn learners(conn: &mut Conn, course: Uuid, page: &PageRequest) -> AppResult<Rows<Learner>> {
    // The page is cut before names are looked up: a database that joins first reads the whole class for it.
    let shown = enrollments::table
        .filter(enrollments::course_id.eq(Id(course)))
        // Also of the first page, so that no database takes the index by status and sorts the whole class.
        .filter(enrollments::user_id.gt(Id(page.after.unwrap_or_default())))
        .filter(enrollments::status.eq_any(LEARNING))
        .order(enrollments::user_id)
        .select(enrollments::user_id)
        .distinct()
        .limit(page.fetch());
    let query = users::table.filter(users::id.eq_any(shown)).order(users::id).select((
        users::id,
        users::given_name,
        users::family_name,
    ));
    Ok(Rows::cut(query.load(conn)?, page, |row: &Learner| row.0))
}

/// Whose mastery is shown.
#[derive(Debug, Clone, Copy)]
pub enum Among {
    /// The members of a group. Its index is walked from where the last page ended.
    Group(Uuid),
    /// The people of a unit and of all below it, whose ids are put in order first.
    Unit(Uuid),
}

/// A page of people, in order of id; with a course, of those who learn in it.
pub fn members(conn: &mut Conn, among: Among, course: Option<Uuid>, page: &PageRequest) -> AppResult<Rows<Learner>> {
    let mut query = group_members::table
        .inner_join(users::table.on(users::id.eq(group_members::user_id)))
        .filter(group_members::user_id.gt(Id(page.after.unwrap_or_default())))
        .order(group_members::user_id)
        .select((group_members::user_id, users::given_name, users::family_name))
        .distinct()
        .limit(page.fetch())
        .into_boxed();
    query = match among {
        Among::Group(group) => query.filter(group_members::group_id.eq(Id(group))),
        Among::Unit(unit) => {
            let below = group_paths::table.filter(group_paths::ancestor_id.eq(Id(unit)));
            query.filter(group_members::group_id.eq_any(below.select(group_paths::group_id)))
        }
    };
    if let Some(course) = course {
        let learning = enrollments::table
            .filter(enrollments::course_id.eq(Id(course)))
            .filter(enrollments::user_id.eq(group_members::user_id))
            .filter(enrollments::status.eq_any(LEARNING));
        query = query.filter(exists(learning));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row: &Learner| row.0))
}

/// The courses that are assigned to a group, or to a unit above it.
pub fn courses_of(conn: &mut Conn, group: Uuid) -> AppResult<Vec<Uuid>> {
    Ok(group_enrollments::table
        .inner_join(group_paths::table.on(group_paths::ancestor_id.eq(group_enrollments::group_id)))
        .filter(group_paths::group_id.eq(Id(group)))
        .select(group_enrollments::course_id)
        .distinct()
        .load(conn)?)
}

/// A cell: learner, competency, mastery.
pub type Cell = (Uuid, Uuid, Option<f64>);

/// What these people master of these competencies; a few others between them may come along. One range of the primary key for each
/// learner: to look up each cell by itself takes as many descents of the tree as there are cells.
pub fn cells(conn: &mut Conn, people: &[Uuid], columns: &[Uuid]) -> AppResult<Vec<Cell>> {
    let (Some(first), Some(last)) = (columns.iter().min(), columns.iter().max()) else { return Ok(Vec::new()) };
    Ok(per_backend!(conn, |c| mastery::table
        .filter(mastery::user_id.eq_any(ids(people)))
        .filter(mastery::competency_id.ge(Id(*first)))
        .filter(mastery::competency_id.le(Id(*last)))
        .select((mastery::user_id, mastery::competency_id, mastery::value))
        .load(c))?)
}
