//! SQL about what courses and goals require, and who is behind on it.

use chrono::{DateTime, Utc};
use diesel::dsl::{exists, not, sql};
use diesel::expression::{AsExpression, SqlLiteral, UncheckedBind};
use diesel::sql_types::Bool;
use diesel::upsert::excluded;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension, QueryDsl,
    RunQueryDsl, Selectable, SelectableHelper,
};
use uuid::Uuid;

use super::ids;
use crate::db::Conn;
use crate::db::page::PageRequest;
use crate::db::schema::{
    behind_marks as marks, competency_targets as targets, enrollments, goal_learners, mastery, users,
};
use crate::db::types::{At, Id, SqlInstant};
use crate::error::AppResult;
use crate::per_backend;

/// A row of `competency_targets`.
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = targets)]
pub struct TargetRow {
    pub id: Uuid,
    pub scope_kind: String,
    pub scope_id: Uuid,
    pub competency_id: Uuid,
    pub at_least: f64,
    pub level: Option<String>,
    pub due_at: Option<DateTime<Utc>>,
    pub due_days: Option<i32>,
    pub behind_days: i32,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// All targets of these courses or goals.
pub fn of_scopes(conn: &mut Conn, scopes: &[Uuid]) -> AppResult<Vec<TargetRow>> {
    Ok(targets::table
        .filter(targets::scope_id.eq_any(ids(scopes)))
        .order((targets::scope_id, targets::competency_id))
        .select(TargetRow::as_select())
        .load(conn)?)
}

pub fn find(conn: &mut Conn, scope: Uuid, competency: Uuid) -> AppResult<Option<TargetRow>> {
    Ok(targets::table
        .filter(targets::scope_id.eq(Id(scope)))
        .filter(targets::competency_id.eq(Id(competency)))
        .select(TargetRow::as_select())
        .first(conn)
        .optional()?)
}

/// Courses and goals whose targets name one of these levels of a competency: kind, id, level.
pub fn naming(conn: &mut Conn, competency: Uuid, levels: &[String]) -> AppResult<Vec<(String, Uuid, Option<String>)>> {
    Ok(targets::table
        .filter(targets::competency_id.eq(Id(competency)))
        .filter(targets::level.eq_any(levels))
        .order((targets::scope_kind, targets::scope_id))
        .select((targets::scope_kind, targets::scope_id, targets::level))
        .load(conn)?)
}

/// Which of these competencies have a due date in any course or goal.
pub fn due(conn: &mut Conn, list: &[Uuid]) -> AppResult<Vec<Uuid>> {
    Ok(targets::table
        .filter(targets::competency_id.eq_any(ids(list)))
        .filter(targets::due_at.is_not_null().or(targets::due_days.is_not_null()))
        .select(targets::competency_id)
        .distinct()
        .load(conn)?)
}

/// Writes targets, those that exist anew.
pub fn save(conn: &mut Conn, rows: &[TargetRow]) -> AppResult<()> {
    for piece in rows.chunks(500) {
        let values: Vec<_> = piece
            .iter()
            .map(|row| {
                (
                    targets::id.eq(Id(row.id)),
                    targets::scope_kind.eq(&row.scope_kind),
                    targets::scope_id.eq(Id(row.scope_id)),
                    targets::competency_id.eq(Id(row.competency_id)),
                    targets::at_least.eq(row.at_least),
                    targets::level.eq(row.level.as_deref()),
                    targets::due_at.eq(row.due_at.map(At)),
                    targets::due_days.eq(row.due_days),
                    targets::behind_days.eq(row.behind_days),
                    targets::version.eq(row.version),
                    targets::created_at.eq(At(row.created_at)),
                    targets::updated_at.eq(At(row.updated_at)),
                )
            })
            .collect();
        per_backend!(conn, |c| diesel::insert_into(targets::table)
            .values(&values)
            .on_conflict((targets::scope_id, targets::competency_id))
            .do_update()
            .set((
                targets::at_least.eq(excluded(targets::at_least)),
                targets::level.eq(excluded(targets::level)),
                targets::due_at.eq(excluded(targets::due_at)),
                targets::due_days.eq(excluded(targets::due_days)),
                targets::behind_days.eq(excluded(targets::behind_days)),
                targets::version.eq(excluded(targets::version)),
                targets::updated_at.eq(excluded(targets::updated_at)),
            ))
            .execute(c))?;
    }
    Ok(())
}

/// Takes targets of a course or goal away; of these competencies, or of all but these.
pub fn delete(conn: &mut Conn, scope: Uuid, competency: Uuid) -> AppResult<usize> {
    let these = targets::table.filter(targets::scope_id.eq(Id(scope)));
    Ok(diesel::delete(these.filter(targets::competency_id.eq(Id(competency)))).execute(conn)?)
}

/// Takes every target of a course or goal away but those about these competencies.
pub fn keep_only(conn: &mut Conn, scope: Uuid, kept: &[Uuid]) -> AppResult<()> {
    let these = targets::table.filter(targets::scope_id.eq(Id(scope)));
    diesel::delete(these.filter(targets::competency_id.ne_all(ids(kept)))).execute(conn)?;
    Ok(())
}

/// A condition with an instant in it.
type WithInstant = SqlLiteral<Bool, UncheckedBind<SqlLiteral<Bool>, <At as AsExpression<SqlInstant>>::Expression>>;

/// Holds for targets that are overdue by `days` (a column or a number) at an instant; days count from `since`.
fn overdue(conn: &Conn, since: &str, days: &str, now: DateTime<Utc>) -> WithInstant {
    let day = match conn {
        Conn::Pg(_) => "interval '24 hours'",
        Conn::Sqlite(_) => "86400000000",
    };
    sql::<Bool>(&format!(
        "COALESCE(competency_targets.due_at, {since} + competency_targets.due_days * {day}) + {days} * {day} <= "
    ))
    .bind::<SqlInstant, _>(At(now))
    .sql("")
}

/// Somebody who is behind.
#[derive(Debug, Clone, diesel::Queryable)]
pub struct BehindRow {
    pub target: Uuid,
    pub user: Uuid,
    pub competency: Uuid,
    pub at_least: f64,
    pub due_at: Option<DateTime<Utc>>,
    pub due_days: Option<i32>,
    pub scope: Uuid,
    /// When the enrollment began, or the goal was assigned.
    pub since: DateTime<Utc>,
    pub value: Option<f64>,
    /// Whether the competency rolls up.
    pub rolls_up: bool,
    pub enrollment: Option<Uuid>,
    pub revision: Option<Uuid>,
}

/// Mastery that falls short of what is required, as `reaches` has it.
fn short() -> SqlLiteral<Bool> {
    sql::<Bool>("(mastery.value IS NULL OR mastery.value + 0.000000001 < competency_targets.at_least)")
}

/// Whether the competency of the target rolls up.
fn rolls_up() -> SqlLiteral<Bool> {
    sql::<Bool>(
        "EXISTS (SELECT 1 FROM competencies c WHERE c.id = competency_targets.competency_id AND c.rollup IS NOT NULL)",
    )
}

/// Learners of a course who are behind, by learner and competency.
pub fn behind_in_course(
    conn: &mut Conn,
    course: Uuid,
    competency: Option<Uuid>,
    page: &PageRequest,
    now: DateTime<Utc>,
) -> AppResult<Vec<BehindRow>> {
    let due = overdue(conn, "enrollments.enrolled_at", "0", now);
    let own = mastery::competency_id.eq(targets::competency_id).and(mastery::user_id.eq(enrollments::user_id));
    let mut query = targets::table
        .inner_join(enrollments::table.on(enrollments::course_id.eq(targets::scope_id)))
        .inner_join(users::table.on(users::id.eq(enrollments::user_id)))
        .left_join(mastery::table.on(own))
        .filter(targets::scope_id.eq(Id(course)))
        .filter(enrollments::status.eq("active"))
        .filter(users::state.eq("active"))
        .filter(due)
        .filter(short())
        .order((enrollments::user_id, targets::competency_id))
        .limit(page.fetch())
        .select((
            targets::id,
            enrollments::user_id,
            targets::competency_id,
            targets::at_least,
            targets::due_at,
            targets::due_days,
            targets::scope_id,
            enrollments::enrolled_at,
            mastery::value.nullable(),
            rolls_up(),
            enrollments::id.nullable(),
            enrollments::revision_id,
        ))
        .into_boxed();
    if let Some(competency) = competency {
        query = query.filter(targets::competency_id.eq(Id(competency)));
    }
    if let Some(after) = page.after {
        query = query.filter(enrollments::user_id.gt(Id(after)));
    }
    Ok(query.load(conn)?)
}

/// Learners of any course who crossed the days at which falling behind is told, and were not told of.
pub fn crossed_in_courses(conn: &mut Conn, now: DateTime<Utc>, limit: i64) -> AppResult<Vec<BehindRow>> {
    let due = overdue(conn, "enrollments.enrolled_at", "competency_targets.behind_days", now);
    let own = mastery::competency_id.eq(targets::competency_id).and(mastery::user_id.eq(enrollments::user_id));
    // What was told of an enrollment before this one says nothing of it.
    let told = marks::table
        .filter(marks::target_id.eq(targets::id))
        .filter(marks::user_id.eq(enrollments::user_id))
        .filter(marks::told_at.ge(enrollments::enrolled_at));
    Ok(targets::table
        .inner_join(enrollments::table.on(enrollments::course_id.eq(targets::scope_id)))
        .inner_join(users::table.on(users::id.eq(enrollments::user_id)))
        .left_join(mastery::table.on(own))
        .filter(enrollments::status.eq("active"))
        .filter(users::state.eq("active"))
        .filter(due)
        .filter(short())
        .filter(not(exists(told)))
        .limit(limit)
        .select((
            targets::id,
            enrollments::user_id,
            targets::competency_id,
            targets::at_least,
            targets::due_at,
            targets::due_days,
            targets::scope_id,
            enrollments::enrolled_at,
            mastery::value.nullable(),
            rolls_up(),
            enrollments::id.nullable(),
            enrollments::revision_id,
        ))
        .load(conn)?)
}

/// The same for goals.
pub fn crossed_in_goals(conn: &mut Conn, now: DateTime<Utc>, limit: i64) -> AppResult<Vec<BehindRow>> {
    let due = overdue(conn, "goal_learners.assigned_at", "competency_targets.behind_days", now);
    let own = mastery::competency_id.eq(targets::competency_id).and(mastery::user_id.eq(goal_learners::user_id));
    let told = marks::table
        .filter(marks::target_id.eq(targets::id))
        .filter(marks::user_id.eq(goal_learners::user_id))
        .filter(marks::told_at.ge(goal_learners::assigned_at));
    type Row = (Uuid, Uuid, Uuid, f64, Option<DateTime<Utc>>, Option<i32>, Uuid, DateTime<Utc>, Option<f64>, bool);
    let rows: Vec<Row> = targets::table
        .inner_join(goal_learners::table.on(goal_learners::goal_id.eq(targets::scope_id)))
        .inner_join(users::table.on(users::id.eq(goal_learners::user_id)))
        .left_join(mastery::table.on(own))
        .filter(users::state.eq("active"))
        .filter(due)
        .filter(short())
        .filter(not(exists(told)))
        .limit(limit)
        .select((
            targets::id,
            goal_learners::user_id,
            targets::competency_id,
            targets::at_least,
            targets::due_at,
            targets::due_days,
            targets::scope_id,
            goal_learners::assigned_at,
            mastery::value.nullable(),
            rolls_up(),
        ))
        .load(conn)?;
    let row = |(target, user, competency, at_least, due_at, due_days, scope, since, value, rolls_up)| BehindRow {
        target,
        user,
        competency,
        at_least,
        due_at,
        due_days,
        scope,
        since,
        value,
        rolls_up,
        enrollment: None,
        revision: None,
    };
    Ok(rows.into_iter().map(row).collect())
}

/// Remembers who was told of, also if they were in an enrollment before this one.
pub fn mark(conn: &mut Conn, rows: &[BehindRow], now: DateTime<Utc>) -> AppResult<()> {
    for piece in rows.chunks(500) {
        let values: Vec<_> = piece
            .iter()
            .map(|row| {
                (
                    marks::target_id.eq(Id(row.target)),
                    marks::user_id.eq(Id(row.user)),
                    // Never before what is told of began, or it would be told for ever.
                    marks::told_at.eq(At(now.max(row.since))),
                )
            })
            .collect();
        per_backend!(conn, |c| diesel::insert_into(marks::table)
            .values(&values)
            .on_conflict((marks::target_id, marks::user_id))
            .do_update()
            .set(marks::told_at.eq(excluded(marks::told_at)))
            .execute(c))?;
    }
    Ok(())
}

/// What a person was told to be behind on among these competencies: target, competency, required mastery.
pub fn marked(conn: &mut Conn, user: Uuid, list: &[Uuid]) -> AppResult<Vec<(Uuid, Uuid, f64)>> {
    Ok(marks::table
        .inner_join(targets::table.on(targets::id.eq(marks::target_id)))
        .filter(marks::user_id.eq(Id(user)))
        .filter(targets::competency_id.eq_any(ids(list)))
        .select((targets::id, targets::competency_id, targets::at_least))
        .load(conn)?)
}

/// Lets a person be told again.
pub fn unmark(conn: &mut Conn, user: Uuid, list: &[Uuid]) -> AppResult<()> {
    let these = marks::table.filter(marks::user_id.eq(Id(user))).filter(marks::target_id.eq_any(ids(list)));
    diesel::delete(these).execute(conn)?;
    Ok(())
}

/// Lets everybody be told again of a target.
pub fn unmark_target(conn: &mut Conn, target: Uuid) -> AppResult<()> {
    diesel::delete(marks::table.filter(marks::target_id.eq(Id(target)))).execute(conn)?;
    Ok(())
}
