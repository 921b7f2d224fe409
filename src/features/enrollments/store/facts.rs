//! SQL about what the facts of a path are made of: records, learning events, choices, overrides, and what is known of the learner.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::upsert::excluded;
use diesel::{
    ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, SelectableHelper,
};
use serde_json::Value;
use uuid::Uuid;

use super::EnrollmentRow;
use crate::db::Conn;
use crate::db::fixed::Fixed;
use crate::db::schema::{
    attempts, certificates, choices, enrollments, learning_events, module_records, overrides, users,
};
use crate::db::types::{At, Id};
use crate::domain::facts::ModuleRecord;
use crate::domain::learning::CLOCK_SKEW_MINUTES;
use crate::error::{AppError, AppResult};
use crate::per_backend;

fn ids(list: &[Uuid]) -> Vec<Id> {
    list.iter().map(|id| Id(*id)).collect()
}

/// The records of enrollments: enrollment, module key and JSON.
pub fn records(conn: &mut Conn, of: &[Uuid]) -> AppResult<Vec<(Uuid, String, String)>> {
    let columns = (module_records::enrollment_id, module_records::module_key, module_records::data);
    Ok(match of {
        // The usual case gets a statement of its own, which stays prepared.
        [id] => per_backend!(conn, |c| module_records::table
            .filter(module_records::enrollment_id.eq(Id(*id)))
            .select(columns)
            .load(c))?,
        many => module_records::table
            .filter(module_records::enrollment_id.eq_any(many.iter().map(|id| Id(*id))))
            .select(columns)
            .load(conn)?,
    })
}

/// Writes records, those that exist anew.
pub fn save_records(conn: &mut Conn, enrollment: Uuid, records: &[(&str, &ModuleRecord)]) -> AppResult<()> {
    if let [(key, record)] = records {
        return save_record(conn, enrollment, key, record);
    }
    let mut rows = Vec::with_capacity(records.len());
    for (key, record) in records {
        rows.push((
            module_records::enrollment_id.eq(Id(enrollment)),
            module_records::module_key.eq((*key).to_owned()),
            module_records::data.eq(serde_json::to_string(record).map_err(AppError::internal)?),
            module_records::started_at.eq(record.started_at.map(At)),
            module_records::completed_at.eq(record.completed_at.map(At)),
            module_records::score_percent.eq(record.score),
        ));
    }
    for piece in rows.chunks(500) {
        per_backend!(conn, |c| diesel::insert_into(module_records::table)
            .values(piece)
            .on_conflict((module_records::enrollment_id, module_records::module_key))
            .do_update()
            .set((
                module_records::data.eq(excluded(module_records::data)),
                module_records::started_at.eq(excluded(module_records::started_at)),
                module_records::completed_at.eq(excluded(module_records::completed_at)),
                module_records::score_percent.eq(excluded(module_records::score_percent)),
            ))
            .execute(c))?;
    }
    Ok(())
}

/// The usual case of [`save_records`], by a statement that stays prepared.
fn save_record(conn: &mut Conn, enrollment: Uuid, key: &str, record: &ModuleRecord) -> AppResult<()> {
    const SQL: &str = "INSERT INTO module_records \
                       (enrollment_id, module_key, data, started_at, completed_at, score_percent) \
                       VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (enrollment_id, module_key) DO UPDATE SET \
                       data = excluded.data, started_at = excluded.started_at, \
                       completed_at = excluded.completed_at, score_percent = excluded.score_percent";
    let data = serde_json::to_string(record).map_err(AppError::internal)?;
    let binds = [
        enrollment.into(),
        key.into(),
        data.as_str().into(),
        record.started_at.into(),
        record.completed_at.into(),
        record.score.into(),
    ];
    Fixed::new(SQL, binds).run(conn)?;
    Ok(())
}

/// Deletes the records of some modules.
pub fn delete_records_of(conn: &mut Conn, enrollment: Uuid, keys: &[String]) -> AppResult<()> {
    let these = module_records::table
        .filter(module_records::enrollment_id.eq(Id(enrollment)))
        .filter(module_records::module_key.eq_any(keys.to_vec()));
    diesel::delete(these).execute(conn)?;
    Ok(())
}

/// Which of these learning events are known.
pub fn known_events(conn: &mut Conn, enrollment: Uuid, ids: &[Uuid]) -> AppResult<Vec<Uuid>> {
    let of_enrollment =
        learning_events::table.filter(learning_events::enrollment_id.eq(Id(enrollment))).select(learning_events::id);
    Ok(match ids {
        // The usual case gets a statement of its own, which stays prepared.
        [id] => per_backend!(conn, |c| of_enrollment.filter(learning_events::id.eq(Id(*id))).load(c))?,
        many => of_enrollment.filter(learning_events::id.eq_any(many.iter().map(|id| Id(*id)))).load(conn)?,
    })
}

/// A stored learning event.
pub struct StoredEvent {
    /// Chosen by the client.
    pub id: Uuid,
    /// Key of the module.
    pub module: String,
    /// When it was by its sender's clock.
    pub sent_at: DateTime<Utc>,
    /// What happened, as JSON.
    pub data: String,
}

pub fn insert_events(conn: &mut Conn, enrollment: Uuid, events: &[StoredEvent], now: DateTime<Utc>) -> AppResult<()> {
    let rows: Vec<_> = events
        .iter()
        .map(|event| {
            (
                learning_events::enrollment_id.eq(Id(enrollment)),
                learning_events::id.eq(Id(event.id)),
                learning_events::module_key.eq(&event.module),
                learning_events::at.eq(At(event.sent_at)),
                learning_events::data.eq(&event.data),
                learning_events::received_at.eq(At(now)),
            )
        })
        .collect();
    match rows.as_slice() {
        // The usual case gets a statement of its own, which stays prepared.
        [row] => per_backend!(conn, |c| diesel::insert_into(learning_events::table).values(row).execute(c))?,
        rows => per_backend!(conn, |c| diesel::insert_into(learning_events::table).values(rows).execute(c))?,
    };
    Ok(())
}

/// Stored learning events of some modules, with when each was received; of all when none are named; up to an instant when given,
/// with those that a fast clock set after it.
pub fn events(
    conn: &mut Conn,
    enrollment: Uuid,
    modules: &[&str],
    until: Option<DateTime<Utc>>,
) -> AppResult<Vec<(StoredEvent, DateTime<Utc>)>> {
    let mut query = learning_events::table
        .filter(learning_events::enrollment_id.eq(Id(enrollment)))
        .select((
            learning_events::id,
            learning_events::module_key,
            learning_events::at,
            learning_events::data,
            learning_events::received_at,
        ))
        .into_boxed();
    if !modules.is_empty() {
        query = query
            .filter(learning_events::module_key.eq_any(modules.iter().map(|m| (*m).to_owned()).collect::<Vec<_>>()));
    }
    if let Some(until) = until {
        query = query.filter(learning_events::at.le(At(until + TimeDelta::minutes(CLOCK_SKEW_MINUTES))));
    }
    type Row = (Uuid, String, DateTime<Utc>, String, DateTime<Utc>);
    let rows: Vec<Row> = query.load(conn)?;
    Ok(rows
        .into_iter()
        .map(|(id, module, sent_at, data, received_at)| (StoredEvent { id, module, sent_at, data }, received_at))
        .collect())
}

/// A chosen branch: stage, branch, when, whether by the engine.
pub type ChoiceRow = (String, String, DateTime<Utc>, bool);

/// The choices made in enrollments, in order of choosing.
pub fn choices(conn: &mut Conn, of: &[Uuid]) -> AppResult<Vec<(Uuid, ChoiceRow)>> {
    Ok(choices::table
        .filter(choices::enrollment_id.eq_any(of.iter().map(|id| Id(*id))))
        .order((choices::at, choices::branch_key))
        .select((choices::enrollment_id, (choices::stage_key, choices::branch_key, choices::at, choices::auto)))
        .load(conn)?)
}

/// What the event log tells of an enrollment's life, and every choice that was made, also those changed later: kind, data, when, in
/// order.
pub fn life(conn: &mut Conn, enrollment: Uuid) -> AppResult<Vec<(String, Value, DateTime<Utc>)>> {
    use crate::db::schema::events;
    const KINDS: [&str; 10] = [
        "branch.chosen",
        "course.completed",
        "enrollment.approved",
        "enrollment.created",
        "enrollment.expired",
        "enrollment.promoted",
        "enrollment.rejected",
        "enrollment.reopened",
        "enrollment.upgraded",
        "enrollment.withdrawn",
    ];
    Ok(events::table
        .filter(events::subject_id.eq(Id(enrollment)))
        .filter(events::kind.eq_any(KINDS))
        .order(events::seq)
        .select((events::kind, events::data, events::at))
        .load(conn)?)
}

pub fn insert_choices(conn: &mut Conn, enrollment: Uuid, rows: &[ChoiceRow]) -> AppResult<()> {
    let rows: Vec<_> = rows
        .iter()
        .map(|(stage, branch, at, auto)| {
            (
                choices::enrollment_id.eq(Id(enrollment)),
                choices::stage_key.eq(stage),
                choices::branch_key.eq(branch),
                choices::at.eq(At(*at)),
                choices::auto.eq(*auto),
            )
        })
        .collect();
    per_backend!(conn, |c| diesel::insert_into(choices::table).values(&rows).execute(c))?;
    Ok(())
}

/// Takes back choices of some branches.
pub fn delete_choices(conn: &mut Conn, enrollment: Uuid, branches: &[&str]) -> AppResult<()> {
    let these = choices::table
        .filter(choices::enrollment_id.eq(Id(enrollment)))
        .filter(choices::branch_key.eq_any(branches.iter().map(|b| (*b).to_owned()).collect::<Vec<_>>()));
    diesel::delete(these).execute(conn)?;
    Ok(())
}

/// An exception that staff granted: module, kind, amount, when.
pub type OverrideRow = (String, String, Option<i32>, DateTime<Utc>);

pub fn overrides(conn: &mut Conn, enrollment: Uuid, until: DateTime<Utc>) -> AppResult<Vec<OverrideRow>> {
    Ok(overrides::table
        .filter(overrides::enrollment_id.eq(Id(enrollment)))
        .filter(overrides::at.le(At(until)))
        .order(overrides::id)
        .select((overrides::module_key, overrides::kind, overrides::amount, overrides::at))
        .load(conn)?)
}

/// A new exception.
pub struct NewOverride<'a> {
    pub id: Uuid,
    pub enrollment: Uuid,
    pub module: &'a str,
    pub kind: &'a str,
    pub amount: Option<i32>,
    pub reason: Option<&'a str>,
    pub made_by: Option<Uuid>,
    pub at: DateTime<Utc>,
}

pub fn insert_override(conn: &mut Conn, new: &NewOverride<'_>) -> AppResult<()> {
    diesel::insert_into(overrides::table)
        .values((
            overrides::id.eq(Id(new.id)),
            overrides::enrollment_id.eq(Id(new.enrollment)),
            overrides::module_key.eq(new.module),
            overrides::kind.eq(new.kind),
            overrides::amount.eq(new.amount),
            overrides::reason.eq(new.reason),
            overrides::made_by.eq(new.made_by.map(Id)),
            overrides::at.eq(At(new.at)),
        ))
        .execute(conn)?;
    Ok(())
}

/// An attempt begun until an instant: module, id, when begun, when submitted, score, passed.
pub type AttemptFact = (String, Uuid, DateTime<Utc>, Option<DateTime<Utc>>, Option<f64>, Option<bool>);

pub fn attempts_until(conn: &mut Conn, enrollment: Uuid, until: DateTime<Utc>) -> AppResult<Vec<AttemptFact>> {
    Ok(attempts::table
        .filter(attempts::enrollment_id.eq(Id(enrollment)))
        .filter(attempts::started_at.le(At(until)))
        .order(attempts::number)
        .select((
            attempts::module_key,
            attempts::id,
            attempts::started_at,
            attempts::submitted_at,
            attempts::score_percent,
            attempts::passed,
        ))
        .load(conn)?)
}

/// Profile attributes of users.
pub fn attributes(conn: &mut Conn, of: &[Uuid]) -> AppResult<Vec<(Uuid, Value)>> {
    Ok(users::table.filter(users::id.eq_any(ids(of))).select((users::id, users::attributes)).load(conn)?)
}

/// Certificates of some courses: user, course, issued, expires, revoked.
pub type CertificateFact = (Uuid, Uuid, DateTime<Utc>, Option<DateTime<Utc>>, Option<DateTime<Utc>>);

pub fn certificates_of(conn: &mut Conn, of: &[Uuid], of_courses: &[Uuid]) -> AppResult<Vec<CertificateFact>> {
    Ok(certificates::table
        .filter(certificates::user_id.eq_any(ids(of)))
        .filter(certificates::course_id.eq_any(ids(of_courses)))
        .select((
            certificates::user_id,
            certificates::course_id,
            certificates::issued_at,
            certificates::expires_at,
            certificates::revoked_at,
        ))
        .load(conn)?)
}

/// Of these groups those that exist, each with those of these users who are in it or below it: one row without a user, or one for
/// each.
pub fn groups_of(conn: &mut Conn, of: &[Uuid], of_groups: &[Uuid]) -> AppResult<Vec<(Uuid, Option<Uuid>)>> {
    use crate::db::schema::{group_members as members, group_paths as paths};
    use diesel::{BoolExpressionMethods, JoinOnDsl, NullableExpressionMethods};
    let of_user = members::group_id.eq(paths::group_id).and(members::user_id.eq_any(ids(of)));
    Ok(paths::table
        .left_join(members::table.on(of_user))
        .filter(paths::ancestor_id.eq_any(ids(of_groups)))
        .select((paths::ancestor_id, members::user_id.nullable()))
        .distinct()
        .load(conn)?)
}

/// Whether somebody learns, or has learnt, in a course.
pub fn learns(conn: &mut Conn, course: Uuid, user: Uuid) -> AppResult<bool> {
    Ok(enrollments::table
        .filter(enrollments::user_id.eq(Id(user)))
        .filter(enrollments::course_id.eq(Id(course)))
        .filter(enrollments::status.eq_any(["active", "completed"]))
        .select(enrollments::id)
        .first::<Uuid>(conn)
        .optional()?
        .is_some())
}

/// Active enrollments of somebody, but for one, whose conditions ask about any of these competencies.
pub fn asking(conn: &mut Conn, user: Uuid, about: &[Uuid], except: Option<Uuid>) -> AppResult<Vec<Uuid>> {
    use crate::db::schema::revision_competencies as asked;
    let revisions = asked::table
        .filter(asked::competency_id.eq_any(ids(about)))
        .filter(asked::touch.eq("asks"))
        .select(asked::revision_id.nullable());
    Ok(enrollments::table
        .filter(enrollments::user_id.eq(Id(user)))
        .filter(enrollments::id.ne(Id(except.unwrap_or_default())))
        .filter(enrollments::status.eq("active"))
        .filter(enrollments::revision_id.eq_any(revisions))
        .order(enrollments::id)
        .select(enrollments::id)
        .load(conn)?)
}

/// A person's completed enrollments whose conditions ask about any of these competencies.
pub fn completed_asking(conn: &mut Conn, user: Uuid, about: &[Uuid], except: Option<Uuid>) -> AppResult<Vec<Uuid>> {
    use crate::db::schema::revision_competencies as asked;
    let revisions = asked::table
        .filter(asked::competency_id.eq_any(ids(about)))
        .filter(asked::touch.eq("asks"))
        .select(asked::revision_id.nullable());
    Ok(enrollments::table
        .filter(enrollments::user_id.eq(Id(user)))
        .filter(enrollments::id.ne(Id(except.unwrap_or_default())))
        .filter(enrollments::status.eq("completed"))
        .filter(enrollments::revision_id.eq_any(revisions))
        .order(enrollments::id)
        .select(enrollments::id)
        .load(conn)?)
}

/// Those of these after which their learner enrolled again in the course.
pub fn superseded(conn: &mut Conn, of: &[Uuid]) -> AppResult<HashSet<Uuid>> {
    use diesel::dsl::sql;
    use diesel::sql_types::Bool;
    let again = sql::<Bool>(
        "EXISTS (SELECT 1 FROM enrollments AS later WHERE later.user_id = enrollments.user_id \
         AND later.course_id = enrollments.course_id AND later.generation > enrollments.generation)",
    );
    let these = enrollments::table.filter(enrollments::id.eq_any(ids(of))).filter(again).select(enrollments::id);
    Ok(these.load(conn)?.into_iter().collect())
}

/// The enrollment of an attempt, locked until the transaction ends.
pub fn locked_of_attempt(conn: &mut Conn, attempt: Uuid) -> AppResult<Option<EnrollmentRow>> {
    let of = attempts::table.filter(attempts::id.eq(Id(attempt))).select(attempts::enrollment_id);
    let row = enrollments::table.filter(enrollments::id.eq_any(of));
    Ok(match conn {
        Conn::Pg(c) => row.select(EnrollmentRow::as_select()).for_update().get_result(c).optional()?,
        Conn::Sqlite(c) => row.select(EnrollmentRow::as_select()).get_result(c).optional()?,
    })
}

/// When staff completed a module by their word.
pub fn completed_by_staff(conn: &mut Conn, enrollment: Uuid, module: &str) -> AppResult<Option<DateTime<Utc>>> {
    Ok(overrides::table
        .filter(overrides::enrollment_id.eq(Id(enrollment)))
        .filter(overrides::module_key.eq(module))
        .filter(overrides::kind.eq("complete"))
        .order(overrides::id)
        .select(overrides::at)
        .first(conn)
        .optional()?)
}

/// Enrollments in some courses, active and completed ones, or those that were so at an instant: user, course, whether completed.
pub fn courses_of(
    conn: &mut Conn,
    of: &[Uuid],
    of_courses: &[Uuid],
    as_of: Option<DateTime<Utc>>,
) -> AppResult<Vec<(Uuid, Uuid, bool)>> {
    let mut query = enrollments::table
        .filter(enrollments::user_id.eq_any(ids(of)))
        .filter(enrollments::course_id.eq_any(ids(of_courses)))
        .select((
            enrollments::user_id,
            enrollments::course_id,
            (enrollments::status, enrollments::completed_at, enrollments::ended_at),
        ))
        .into_boxed();
    query = match as_of {
        None => query.filter(enrollments::status.eq_any(["active", "completed"])),
        Some(at) => query
            .filter(enrollments::status.ne_all(["pending", "waitlisted"]))
            .filter(enrollments::enrolled_at.le(At(at))),
    };
    type Row = (Uuid, Uuid, (String, Option<DateTime<Utc>>, Option<DateTime<Utc>>));
    let rows: Vec<Row> = query.load(conn)?;
    let fact = |(user, course, (status, completed_at, ended_at)): Row| {
        let Some(as_of) = as_of else { return Some((user, course, status == "completed")) };
        let completed = completed_at.is_some_and(|at| at <= as_of);
        (completed || ended_at.is_none_or(|at| at > as_of)).then_some((user, course, completed))
    };
    Ok(rows.into_iter().filter_map(fact).collect())
}
