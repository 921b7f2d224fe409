//! Enrollments and their life.

use actix_web::{HttpRequest, get, post, web};
use uuid::Uuid;

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::features::enrollments::dto::{EnrollIn, EnrollmentOut, EnrollmentQuery};
use crate::features::enrollments::service;
use crate::http::answer::Page;
use crate::http::{Answer, Body, Conditions, Query, Ref, Retry, commit, query};

/// Enrol in a course
///
/// The caller, by the course's policy; or, for staff, the user named. Without a free seat the enrollment is `waitlisted`. Enrolling again after completion or withdrawal starts a new generation. Scope: `enrollments:write`.
#[utoipa::path(tag = "learning", operation_id = "create_enrollment", params(("course_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    request_body = EnrollIn,
    responses((status = 201, description = "The enrollment.", body = EnrollmentOut, headers(("Location" = String), ("ETag" = String)))),
    security(("user" = []), ("client" = ["enrollments:write"]), ("bearer" = [])))]
#[post("/v1/courses/{course_id}/enrollments")]
pub async fn create_enrollment(
    caller: Caller<need::EnrollmentsWrite>,
    state: Anyone,
    retry: Retry,
    course_id: web::Path<Ref>,
    body: Body<EnrollIn>,
) -> AppResult<Answer> {
    let clock = state.clone();
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let enrollment = service::enroll(conn, ctx, &course_id, &body.input, &|| clock.clock.now())?;
        Ok(Answer::created(&format!("/v1/enrollments/{}", enrollment.id), &enrollment)?
            .header("etag", &service::tag(&enrollment)))
    })
    .await
}

/// List enrollments
///
/// Learners see their own, managers those of their reports, instructors those of their courses, admins and clients all. Scope: `enrollments:read`.
#[utoipa::path(tag = "learning", operation_id = "list_enrollments", params(EnrollmentQuery),
    responses((status = 200, description = "A page of enrollments, in order of making.", body = Page<EnrollmentOut>)),
    security(("user" = []), ("client" = ["enrollments:read"]), ("bearer" = [])))]
#[get("/v1/enrollments")]
pub async fn list_enrollments(
    caller: Caller<need::EnrollmentsRead>,
    state: Anyone,
    request: HttpRequest,
    filter: Query<EnrollmentQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| service::list(conn, &ctx, filter.0, &page)).await?;
    Answer::page(rows, &request)
}

/// List a course's enrollments
///
/// Those that the caller may see. Scope: `enrollments:read`.
#[utoipa::path(tag = "learning", operation_id = "list_course_enrollments", params(("course_id" = String, Path, description = "Id or `ext:<external_id>`."), EnrollmentQuery),
    responses((status = 200, description = "A page of enrollments, in order of making.", body = Page<EnrollmentOut>)),
    security(("user" = []), ("client" = ["enrollments:read"]), ("bearer" = [])))]
#[get("/v1/courses/{course_id}/enrollments")]
pub async fn list_course_enrollments(
    caller: Caller<need::EnrollmentsRead>,
    state: Anyone,
    request: HttpRequest,
    course_id: web::Path<Ref>,
    filter: Query<EnrollmentQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| service::list_of_course(conn, &ctx, &course_id, filter.0, &page)).await?;
    Answer::page(rows, &request)
}

/// Read an enrollment
///
/// With its progress. Scope: `enrollments:read`.
#[utoipa::path(tag = "learning", operation_id = "get_enrollment", params(("enrollment_id" = Uuid, Path)),
    responses((status = 200, description = "The enrollment.", body = EnrollmentOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["enrollments:read"]), ("bearer" = [])))]
#[get("/v1/enrollments/{enrollment_id}")]
pub async fn get_enrollment(
    caller: Caller<need::EnrollmentsRead>,
    state: Anyone,
    conditions: Conditions,
    id: web::Path<Uuid>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let enrollment = state.db.read(move |conn| service::get(conn, &ctx, *id)).await?;
    Ok(Answer::ok(&enrollment)?.header("etag", &service::tag(&enrollment)).unless_known(&conditions))
}

/// Approve an enrollment
///
/// For courses with the policy `approval`. Without a free seat it goes to the waitlist. Scope: `enrollments:write`. Role: admin, instructor, or the learner's manager.
#[utoipa::path(tag = "learning", operation_id = "approve_enrollment", params(("enrollment_id" = Uuid, Path)),
    responses((status = 200, description = "The enrollment.", body = EnrollmentOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["enrollments:write"]), ("bearer" = [])))]
#[post("/v1/enrollments/{enrollment_id}/approve")]
pub async fn approve_enrollment(
    caller: Caller<need::EnrollmentsWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    id: web::Path<Uuid>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        let enrollment = service::approve(conn, ctx, *id, &conditions)?;
        Ok(Answer::ok(&enrollment)?.header("etag", &service::tag(&enrollment)))
    })
    .await
}

/// Refuse an enrollment
///
/// A pending one becomes `withdrawn`. Scope: `enrollments:write`. Role: admin, instructor, or the learner's manager.
#[utoipa::path(tag = "learning", operation_id = "reject_enrollment", params(("enrollment_id" = Uuid, Path)),
    responses((status = 200, description = "The enrollment.", body = EnrollmentOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["enrollments:write"]), ("bearer" = [])))]
#[post("/v1/enrollments/{enrollment_id}/reject")]
pub async fn reject_enrollment(
    caller: Caller<need::EnrollmentsWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    id: web::Path<Uuid>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        let enrollment = service::reject(conn, ctx, *id, &conditions)?;
        Ok(Answer::ok(&enrollment)?.header("etag", &service::tag(&enrollment)))
    })
    .await
}

/// Withdraw from a course
///
/// History stays; a freed seat goes to the first in line at once. Scope: `enrollments:write`. The learner, an instructor or an admin.
#[utoipa::path(tag = "learning", operation_id = "withdraw_enrollment", params(("enrollment_id" = Uuid, Path)),
    responses((status = 200, description = "The enrollment.", body = EnrollmentOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["enrollments:write"]), ("bearer" = [])))]
#[post("/v1/enrollments/{enrollment_id}/withdraw")]
pub async fn withdraw_enrollment(
    caller: Caller<need::EnrollmentsWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    id: web::Path<Uuid>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        let enrollment = service::withdraw(conn, ctx, *id, &conditions)?;
        Ok(Answer::ok(&enrollment)?.header("etag", &service::tag(&enrollment)))
    })
    .await
}
