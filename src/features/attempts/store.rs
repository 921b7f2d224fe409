//! SQL about attempts.

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, Selectable, SelectableHelper};
use uuid::Uuid;

use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::db::schema::attempts;
use crate::db::types::{At, Id};
use crate::error::AppResult;

/// A row of `attempts`.
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = attempts)]
pub struct AttemptRow {
    pub id: Uuid,
    pub enrollment_id: Uuid,
    pub module_key: String,
    pub number: i32,
    pub state: String,
    pub seed: i64,
    pub answers: String,
    pub started_at: DateTime<Utc>,
    pub deadline: Option<DateTime<Utc>>,
    pub submitted_at: Option<DateTime<Utc>>,
    pub points: Option<f64>,
    pub max_points: Option<f64>,
    pub score_percent: Option<f64>,
    pub passed: Option<bool>,
    pub version: i64,
    pub revision_id: Option<Uuid>,
    pub correction: Option<String>,
}

pub fn find(conn: &mut Conn, id: Uuid) -> AppResult<Option<AttemptRow>> {
    Ok(attempts::table.filter(attempts::id.eq(Id(id))).select(AttemptRow::as_select()).get_result(conn).optional()?)
}

pub fn list(conn: &mut Conn, enrollment: Uuid, module: &str, page: &PageRequest) -> AppResult<Rows<AttemptRow>> {
    let mut query = attempts::table
        .filter(attempts::enrollment_id.eq(Id(enrollment)))
        .filter(attempts::module_key.eq(module.to_owned()))
        .order(attempts::id)
        .limit(page.fetch())
        .select(AttemptRow::as_select())
        .into_boxed();
    if let Some(after) = page.after {
        query = query.filter(attempts::id.gt(Id(after)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.id))
}

/// Scores of the finished attempts at a quiz, in order.
pub fn scores(conn: &mut Conn, enrollment: Uuid, module: &str) -> AppResult<Vec<(f64, bool)>> {
    let scores: Vec<(Option<f64>, Option<bool>)> = attempts::table
        .filter(attempts::enrollment_id.eq(Id(enrollment)))
        .filter(attempts::module_key.eq(module))
        .filter(attempts::state.eq("graded"))
        .order(attempts::number)
        .select((attempts::score_percent, attempts::passed))
        .load(conn)?;
    Ok(scores.into_iter().filter_map(|(score, passed)| score.map(|score| (score, passed.unwrap_or(false)))).collect())
}

/// A finished attempt: when it was submitted, its score, whether it passed.
pub type Finished = (Option<DateTime<Utc>>, Option<f64>, Option<bool>);

/// The finished attempts at a quiz, in order.
pub fn finished(conn: &mut Conn, enrollment: Uuid, module: &str) -> AppResult<Vec<Finished>> {
    Ok(attempts::table
        .filter(attempts::enrollment_id.eq(Id(enrollment)))
        .filter(attempts::module_key.eq(module))
        .filter(attempts::state.eq("graded"))
        .order(attempts::number)
        .select((attempts::submitted_at, attempts::score_percent, attempts::passed))
        .load(conn)?)
}

/// When the first attempt at a quiz began.
pub fn first_begun(conn: &mut Conn, enrollment: Uuid, module: &str) -> AppResult<Option<DateTime<Utc>>> {
    Ok(attempts::table
        .filter(attempts::enrollment_id.eq(Id(enrollment)))
        .filter(attempts::module_key.eq(module))
        .order(attempts::number)
        .select(attempts::started_at)
        .first(conn)
        .optional()?)
}

pub fn delete(conn: &mut Conn, id: Uuid) -> AppResult<()> {
    diesel::delete(attempts::table.filter(attempts::id.eq(Id(id)))).execute(conn)?;
    Ok(())
}

/// The number of the newest attempt at a quiz.
pub fn last_number(conn: &mut Conn, enrollment: Uuid, module: &str) -> AppResult<i32> {
    let last: Option<i32> = attempts::table
        .filter(attempts::enrollment_id.eq(Id(enrollment)))
        .filter(attempts::module_key.eq(module))
        .order(attempts::number.desc())
        .select(attempts::number)
        .first(conn)
        .optional()?;
    Ok(last.unwrap_or(0))
}

pub fn insert(conn: &mut Conn, row: &AttemptRow) -> AppResult<()> {
    diesel::insert_into(attempts::table)
        .values((
            attempts::id.eq(Id(row.id)),
            attempts::enrollment_id.eq(Id(row.enrollment_id)),
            attempts::module_key.eq(&row.module_key),
            attempts::number.eq(row.number),
            attempts::state.eq(&row.state),
            attempts::seed.eq(row.seed),
            attempts::answers.eq(&row.answers),
            attempts::started_at.eq(At(row.started_at)),
            attempts::deadline.eq(row.deadline.map(At)),
            attempts::version.eq(row.version),
            attempts::revision_id.eq(row.revision_id.map(Id)),
        ))
        .execute(conn)?;
    Ok(())
}

pub fn update(conn: &mut Conn, row: &AttemptRow) -> AppResult<()> {
    diesel::update(attempts::table.filter(attempts::id.eq(Id(row.id))))
        .set((
            attempts::state.eq(&row.state),
            attempts::answers.eq(&row.answers),
            attempts::submitted_at.eq(row.submitted_at.map(At)),
            attempts::points.eq(row.points),
            attempts::max_points.eq(row.max_points),
            attempts::score_percent.eq(row.score_percent),
            attempts::passed.eq(row.passed),
            attempts::version.eq(row.version),
            attempts::correction.eq(row.correction.as_deref()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Attempts whose time is up.
pub fn overdue(conn: &mut Conn, now: DateTime<Utc>, n: i64) -> AppResult<Vec<Uuid>> {
    Ok(attempts::table
        .filter(attempts::state.eq("in_progress"))
        .filter(attempts::deadline.le(At(now)))
        .order(attempts::deadline)
        .limit(n)
        .select(attempts::id)
        .load(conn)?)
}
