//! `/v1/courses/{course_id}/targets` and `/behind`, `/v1/enrollments/{enrollment_id}/targets`.

use actix_web::{HttpRequest, delete, get, put, web};
use uuid::Uuid;

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::features::competencies::dto::{BehindOut, BehindQuery, EnrollmentTargets, TargetIn, TargetList, TargetOut};
use crate::features::competencies::service::targets as service;
use crate::http::answer::Page;
use crate::http::{Answer, Body, Conditions, Query, Ref, Retry, commit, query};

/// List a course's targets
///
/// What it requires of which competency, and by when; all of them. Scope: `competencies:read`. Role: admin, author or instructor.
#[utoipa::path(tag = "competencies", operation_id = "list_targets", params(("course_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    responses((status = 200, description = "The targets.", body = TargetList)),
    security(("user" = []), ("client" = ["competencies:read"]), ("bearer" = [])))]
#[get("/v1/courses/{course_id}/targets")]
pub async fn list_targets(
    caller: Caller<need::CompetenciesRead>,
    state: Anyone,
    path: web::Path<Ref>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let found = state.db.read(move |conn| service::list(conn, &ctx, &path)).await?;
    Answer::ok(&found)
}

/// Set a target
///
/// The mastery that the course requires, and when it is due: at an instant, or so many days after the enrollment. Whoever is `behind_days` late is told of once, with the event `competency.behind`, and again after catching up, or in an enrollment that begins later. Scope: `competencies:write`. Role: admin, author or instructor; those of this course alone may require what its draft or newest revision names, or what is a target already.
#[utoipa::path(tag = "competencies", operation_id = "set_target", params(("course_id" = String, Path, description = "Id or `ext:<external_id>`."), ("competency_id" = Uuid, Path)),
    request_body = TargetIn,
    responses((status = 200, description = "The target.", body = TargetOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["competencies:write"]), ("bearer" = [])))]
#[put("/v1/courses/{course_id}/targets/{competency_id}")]
pub async fn set_target(
    caller: Caller<need::CompetenciesWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    path: web::Path<(Ref, Uuid)>,
    body: Body<TargetIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let made = service::set(conn, ctx, &path.0, path.1, &body.input, &conditions)?;
        Ok(Answer::ok(&made)?.etag(made.version))
    })
    .await
}

/// Take a target away
///
/// Nobody is behind on it any more. Scope: `competencies:write`. Role: admin, author or instructor.
#[utoipa::path(tag = "competencies", operation_id = "delete_target", params(("course_id" = String, Path, description = "Id or `ext:<external_id>`."), ("competency_id" = Uuid, Path)),
    responses((status = 204, description = "Gone.")),
    security(("user" = []), ("client" = ["competencies:write"]), ("bearer" = [])))]
#[delete("/v1/courses/{course_id}/targets/{competency_id}")]
pub async fn delete_target(
    caller: Caller<need::CompetenciesWrite>,
    state: Anyone,
    retry: Retry,
    path: web::Path<(Ref, Uuid)>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        service::remove(conn, ctx, &path.0, path.1)?;
        Ok(Answer::no_content())
    })
    .await
}

/// List who is behind
///
/// Active learners whose required mastery was due and is not reached, by learner, with the modules that would help. Scope: `competencies:read`. Role: admin or instructor.
#[utoipa::path(tag = "competencies", operation_id = "list_behind", params(("course_id" = String, Path, description = "Id or `ext:<external_id>`."), BehindQuery),
    responses((status = 200, description = "A page of those who are behind.", body = Page<BehindOut>)),
    security(("user" = []), ("client" = ["competencies:read"]), ("bearer" = [])))]
#[get("/v1/courses/{course_id}/behind")]
pub async fn list_behind(
    caller: Caller<need::CompetenciesRead>,
    state: Anyone,
    request: HttpRequest,
    path: web::Path<Ref>,
    filter: Query<BehindQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| service::behind(conn, &ctx, &path, &filter.0, &page)).await?;
    Answer::page(rows, &request)
}

/// List a learner's targets
///
/// What the course requires of this learner and by when, how far they have come, and the modules that would help. Scope: `competencies:read`, with which clients need `enrollments:read`.
#[utoipa::path(tag = "competencies", operation_id = "list_enrollment_targets", params(("enrollment_id" = Uuid, Path)),
    responses((status = 200, description = "The targets; all of them.", body = EnrollmentTargets)),
    security(("user" = []), ("client" = ["competencies:read", "enrollments:read"]), ("bearer" = [])))]
#[get("/v1/enrollments/{enrollment_id}/targets")]
pub async fn list_enrollment_targets(
    caller: Caller<need::CompetenciesRead>,
    state: Anyone,
    path: web::Path<Uuid>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let found = state.db.read(move |conn| service::of_enrollment(conn, &ctx, *path)).await?;
    Answer::ok(&found)
}
