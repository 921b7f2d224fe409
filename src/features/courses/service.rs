//! Use cases about courses themselves; their outlines are in `outline`, their staff in `staff`.

use serde_json::{Value, json};
use uuid::Uuid;

use super::dto::{CourseIn, CourseOut, CoursePatch, CourseQuery, CourseStatus, DuplicateIn, EnrollmentPolicy};
use super::store::{self, CourseRow, RevisionRow};
use crate::db::page::{PageRequest, Rows};
use crate::db::turns::{self, Memberships};
use crate::db::{Conn, LockTable, lock_row};
use crate::domain::outline::{DeliveryMode, Outline};
use crate::domain::permission::{Act, Actor, Reach, Relation, Role};
use crate::error::{AppError, AppResult, Code, is_unique_violation};
use crate::events::{self, NewEvent};
use crate::features::groups;
use crate::http::{Conditions, Patch, Ref};
use crate::state::Ctx;

/// Reads an enum that was stored by its name.
pub(super) fn named<T: serde::de::DeserializeOwned>(name: &str) -> AppResult<T> {
    serde_json::from_value(Value::String(name.to_owned())).map_err(AppError::internal)
}

/// How the actor stands to a course.
#[must_use]
pub fn relation(course: Uuid) -> Relation {
    Relation { course: Some(course), ..Relation::default() }
}

fn out(row: CourseRow, staff: bool) -> AppResult<CourseOut> {
    Ok(CourseOut {
        style: named(&row.style)?,
        delivery_mode: named(&row.delivery_mode)?,
        enrollment_policy: named(&row.enrollment_policy)?,
        status: named(&row.status)?,
        revision: Some(row.latest_revision).filter(|number| *number > 0),
        access_code: row.access_code.filter(|_| staff),
        id: row.id,
        external_id: row.external_id,
        title: row.title,
        summary: row.summary,
        language: row.language,
        seats: row.seats,
        issues_certificate: row.issues_certificate,
        certificate_valid_days: row.certificate_valid_days,
        created_by: row.created_by,
        created_at: row.created_at,
        updated_at: row.updated_at,
        published_at: row.published_at,
        archived_at: row.archived_at,
        version: row.version,
    })
}

/// The id of the course that is meant, if there is one.
///
/// # Errors
/// Database errors.
pub fn id_of(conn: &mut Conn, which: &Ref) -> AppResult<Option<Uuid>> {
    Ok(store::find(conn, which)?.map(|row| row.id))
}

/// Finds a course that the actor may see: staff see every one, others those that were published. Whoever may do what they came
/// for sees it too: a machine that only enrols or only writes needs no scope beside.
///
/// # Errors
/// 404.
pub fn find(conn: &mut Conn, ctx: &Ctx, which: &Ref, act: Act) -> AppResult<CourseRow> {
    let row = store::find(conn, which)?.ok_or_else(|| AppError::not_found("course"))?;
    let relation = relation(row.id);
    let published = row.latest_revision > 0;
    if ctx.may(Act::ReadOutline, &relation)
        || ctx.may(act, &relation)
        || (published && ctx.may(Act::ReadCourse, &relation))
    {
        return Ok(row);
    }
    Err(AppError::not_found("course"))
}

/// Finds a course, asks whether the actor may do this to it, and locks it until the transaction ends.
pub(super) fn find_for(conn: &mut Conn, ctx: &Ctx, which: &Ref, act: Act) -> AppResult<CourseRow> {
    let row = find(conn, ctx, which, act)?;
    ctx.require(act, &relation(row.id))?;
    lock_row(conn, LockTable::Courses, row.id)?;
    // Read again: what was read before the lock may have changed meanwhile.
    store::find(conn, &Ref::Id(row.id))?.ok_or_else(|| AppError::not_found("course"))
}

/// A published revision of a course with its outline as text.
///
/// # Errors
/// 404.
pub fn revision(conn: &mut Conn, course: Uuid, number: i32) -> AppResult<(RevisionRow, String)> {
    store::find_revision(conn, course, number)?.ok_or_else(|| AppError::not_found("revision"))
}

/// One course.
///
/// # Errors
/// 404.
pub fn get(conn: &mut Conn, ctx: &Ctx, which: &Ref) -> AppResult<CourseOut> {
    let row = find(conn, ctx, which, Act::ReadOutline)?;
    let staff = ctx.may(Act::ReadOutline, &relation(row.id));
    out(row, staff)
}

/// A page of courses: all for site staff and clients, published ones and their own for others.
///
/// # Errors
/// 403.
pub fn list(conn: &mut Conn, ctx: &Ctx, filter: &CourseQuery, page: &PageRequest) -> AppResult<Rows<CourseOut>> {
    let sees_all = ctx.may(Act::ReadOutline, &Relation::default());
    let own: Vec<Uuid> = match &ctx.actor {
        Actor::User { grants, .. } => grants
            .iter()
            .filter_map(|grant| match grant.reach {
                Reach::Course(id) if matches!(grant.role, Role::Author | Role::Instructor) => Some(id),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    let rows = store::list(conn, filter, (!sees_all).then_some(own.as_slice()), page)?;
    let items = rows
        .items
        .into_iter()
        .map(|row| {
            let staff = sees_all || own.contains(&row.id);
            out(row, staff)
        })
        .collect::<AppResult<_>>()?;
    Ok(Rows { items, next: rows.next })
}

fn taken(error: diesel::result::Error) -> AppError {
    if is_unique_violation(&error) {
        let fault = AppError::field("/external_id", "taken", "Another course has this external id.");
        return AppError::new(Code::Conflict, "Another course has this external id.")
            .with_errors(fault.errors().to_vec());
    }
    error.into()
}

/// Makes a course with an empty draft.
///
/// # Errors
/// 403; 409 when the external id is taken.
pub fn create(conn: &mut Conn, ctx: &Ctx, input: CourseIn) -> AppResult<CourseOut> {
    ctx.require(Act::CreateCourse, &Relation::default())?;
    let row = CourseRow {
        id: ctx.new_id(),
        external_id: input.external_id,
        title: input.title.trim().to_owned(),
        summary: input.summary.unwrap_or_default(),
        style: input.style.as_str().to_owned(),
        delivery_mode: input.delivery_mode.unwrap_or(DeliveryMode::SelfPaced).as_str().to_owned(),
        language: input.language.unwrap_or_else(|| "en".into()),
        enrollment_policy: input.enrollment_policy.unwrap_or_default().as_str().to_owned(),
        access_code: input.access_code,
        seats: input.seats,
        issues_certificate: input.issues_certificate.unwrap_or(true),
        certificate_valid_days: input.certificate_valid_days,
        status: CourseStatus::Draft.as_str().to_owned(),
        latest_revision: 0,
        waitlist_counter: 0,
        version: 1,
        created_by: ctx.actor.user_id(),
        created_at: ctx.now,
        updated_at: ctx.now,
        published_at: None,
        archived_at: None,
    };
    let draft = serde_json::to_string(&Outline::default()).map_err(AppError::internal)?;
    store::insert(conn, &row, &draft).map_err(taken)?;
    events::append(conn, ctx, vec![NewEvent::new("course.created", "course", row.id).course(row.id)])?;
    out(row, true)
}

/// Raises the version and writes the row.
pub(super) fn save(conn: &mut Conn, ctx: &Ctx, row: &mut CourseRow) -> AppResult<()> {
    row.version = row.version.saturating_add(1);
    row.updated_at = ctx.now;
    store::update(conn, row).map_err(taken)
}

/// Changes a course; more seats promote those who wait.
///
/// # Errors
/// 403, 404, 409, 412, 422.
pub fn update(
    conn: &mut Conn,
    ctx: &Ctx,
    which: &Ref,
    patch: CoursePatch,
    conditions: &Conditions,
) -> AppResult<CourseOut> {
    let mut row = find_for(conn, ctx, which, Act::WriteCourse)?;
    conditions.require(row.version)?;
    if let Patch::Value(title) = patch.title {
        row.title = title.trim().to_owned();
    }
    row.summary = patch.summary.over(Some(row.summary)).unwrap_or_default();
    if let Patch::Value(style) = patch.style {
        row.style = style.as_str().to_owned();
    }
    if let Patch::Value(mode) = patch.delivery_mode {
        row.delivery_mode = mode.as_str().to_owned();
    }
    if let Patch::Value(language) = patch.language {
        row.language = language;
    }
    if let Patch::Value(policy) = patch.enrollment_policy {
        row.enrollment_policy = policy.as_str().to_owned();
    }
    row.access_code = patch.access_code.over(row.access_code);
    if row.enrollment_policy == EnrollmentPolicy::AccessCode.as_str() && row.access_code.is_none() {
        return Err(AppError::field("/access_code", "required", "The policy access_code needs an access code."));
    }
    let seats_before = row.seats;
    row.seats = patch.seats.over(row.seats);
    if let Patch::Value(issues) = patch.issues_certificate {
        row.issues_certificate = issues;
    }
    row.certificate_valid_days = patch.certificate_valid_days.over(row.certificate_valid_days);
    row.external_id = patch.external_id.over(row.external_id);
    save(conn, ctx, &mut row)?;
    events::append(conn, ctx, vec![NewEvent::new("course.updated", "course", row.id).course(row.id)])?;
    if row.seats != seats_before {
        crate::features::enrollments::promote_waiting(conn, ctx, &[row.id])?;
    }
    out(row, true)
}

/// Copies a course with its draft; not its revisions, learners or external id.
///
/// # Errors
/// 403, 404.
pub fn duplicate(conn: &mut Conn, ctx: &Ctx, which: &Ref, input: DuplicateIn) -> AppResult<CourseOut> {
    let original = find(conn, ctx, which, Act::CreateCourse)?;
    ctx.require(Act::ReadOutline, &relation(original.id))?;
    ctx.require(Act::CreateCourse, &Relation::default())?;
    let draft = store::draft(conn, original.id)?;
    let original_id = original.id;
    let copied_title = || format!("Copy of {}", original.title).chars().take(200).collect();
    let row = CourseRow {
        id: ctx.new_id(),
        external_id: None,
        title: input.title.map_or_else(copied_title, |title| title.trim().to_owned()),
        status: CourseStatus::Draft.as_str().to_owned(),
        latest_revision: 0,
        waitlist_counter: 0,
        version: 1,
        created_by: ctx.actor.user_id(),
        created_at: ctx.now,
        updated_at: ctx.now,
        published_at: None,
        archived_at: None,
        ..original
    };
    store::insert(conn, &row, &draft).map_err(taken)?;
    let event =
        NewEvent::new("course.created", "course", row.id).course(row.id).data(json!({"duplicate_of": original_id}));
    events::append(conn, ctx, vec![event])?;
    out(row, true)
}

/// Closes a course to new enrollments.
///
/// # Errors
/// 403, 404; 409 when it is archived already.
pub fn archive(conn: &mut Conn, ctx: &Ctx, which: &Ref) -> AppResult<CourseOut> {
    let mut row = find_for(conn, ctx, which, Act::WriteCourse)?;
    if row.archived_at.is_some() {
        return Err(AppError::new(Code::WrongState, "The course is archived already."));
    }
    row.status = CourseStatus::Archived.as_str().to_owned();
    row.archived_at = Some(ctx.now);
    save(conn, ctx, &mut row)?;
    events::append(conn, ctx, vec![NewEvent::new("course.archived", "course", row.id).course(row.id)])?;
    out(row, true)
}

/// Opens an archived course again.
///
/// # Errors
/// 403, 404; 409 when it is not archived.
pub fn restore(conn: &mut Conn, ctx: &Ctx, which: &Ref) -> AppResult<CourseOut> {
    turns::memberships(conn, Memberships::Oversee)?;
    let mut row = find_for(conn, ctx, which, Act::WriteCourse)?;
    if row.archived_at.take().is_none() {
        return Err(AppError::new(Code::WrongState, "The course is not archived."));
    }
    let status = if row.latest_revision > 0 { CourseStatus::Published } else { CourseStatus::Draft };
    row.status = status.as_str().to_owned();
    save(conn, ctx, &mut row)?;
    events::append(conn, ctx, vec![NewEvent::new("course.restored", "course", row.id).course(row.id)])?;
    if status == CourseStatus::Published {
        groups::assignments::catch_up(conn, ctx, row.id)?;
    }
    out(row, true)
}

/// A course whoever asks; for other areas.
///
/// # Errors
/// Database errors.
pub fn row(conn: &mut Conn, id: Uuid) -> AppResult<Option<CourseRow>> {
    store::find(conn, &Ref::Id(id))
}

/// Courses whoever asks; for other areas.
///
/// # Errors
/// Database errors.
pub fn rows(conn: &mut Conn, ids: &[Uuid]) -> AppResult<Vec<CourseRow>> {
    store::find_many(conn, ids)
}

/// Courses by id or external id, with both; for other areas.
///
/// # Errors
/// Database errors.
pub fn ids_of(conn: &mut Conn, ids: &[Uuid], externals: &[String]) -> AppResult<Vec<(Uuid, Option<String>)>> {
    store::ids_of(conn, ids, externals)
}

/// Whether there is any course at all.
///
/// # Errors
/// Database errors.
pub fn any(conn: &mut Conn) -> AppResult<bool> {
    store::any(conn)
}
