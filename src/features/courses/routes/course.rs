//! `/v1/courses`, `/v1/courses/{course_id}`.

use actix_web::{HttpRequest, get, patch, post, web};

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::features::courses::dto::{CourseIn, CourseOut, CoursePatch, CourseQuery, DuplicateIn};
use crate::features::courses::service;
use crate::http::answer::Page;
use crate::http::{Answer, Body, Conditions, Query, Ref, Retry, commit, query};

/// Create a course
///
/// It begins as a draft with an empty outline. Scope: `courses:write`. Role: admin or author.
#[utoipa::path(tag = "authoring", operation_id = "create_course", request_body = CourseIn,
    responses((status = 201, description = "The new course.", body = CourseOut, headers(("Location" = String), ("ETag" = String)))),
    security(("user" = []), ("client" = ["courses:write"]), ("bearer" = [])))]
#[post("/v1/courses")]
pub async fn create_course(
    caller: Caller<need::CoursesWrite>,
    state: Anyone,
    retry: Retry,
    body: Body<CourseIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let course = service::create(conn, ctx, body.input)?;
        Ok(Answer::created(&format!("/v1/courses/{}", course.id), &course)?.etag(course.version))
    })
    .await
}

/// List courses
///
/// Learners see published courses, staff all. Scope: `courses:read`.
#[utoipa::path(tag = "authoring", operation_id = "list_courses", params(CourseQuery),
    responses((status = 200, description = "A page of courses, in order of making.", body = Page<CourseOut>)),
    security(("user" = []), ("client" = ["courses:read"]), ("bearer" = [])))]
#[get("/v1/courses")]
pub async fn list_courses(
    caller: Caller<need::CoursesRead>,
    state: Anyone,
    request: HttpRequest,
    filter: Query<CourseQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| service::list(conn, &ctx, &filter.0, &page)).await?;
    Answer::page(rows, &request)
}

/// Read a course
///
/// By id or `ext:<external_id>`. Scope: `courses:read`.
#[utoipa::path(tag = "authoring", operation_id = "get_course", params(("course_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    responses((status = 200, description = "The course.", body = CourseOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["courses:read"]), ("bearer" = [])))]
#[get("/v1/courses/{course_id}")]
pub async fn get_course(
    caller: Caller<need::CoursesRead>,
    state: Anyone,
    conditions: Conditions,
    course_id: web::Path<Ref>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let course = state.db.read(move |conn| service::get(conn, &ctx, &course_id)).await?;
    Ok(Answer::ok(&course)?.etag(course.version).unless_known(&conditions))
}

/// Change a course
///
/// A merge patch (RFC 7396). More seats promote those who wait. Scope: `courses:write`. Role: admin or author.
#[utoipa::path(tag = "authoring", operation_id = "update_course", params(("course_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    request_body(content((CoursePatch = "application/merge-patch+json"), (CoursePatch = "application/json"))),
    responses((status = 200, description = "The changed course.", body = CourseOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["courses:write"]), ("bearer" = [])))]
#[patch("/v1/courses/{course_id}")]
pub async fn update_course(
    caller: Caller<need::CoursesWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    course_id: web::Path<Ref>,
    body: Body<CoursePatch>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let course = service::update(conn, ctx, &course_id, body.input, &conditions)?;
        Ok(Answer::ok(&course)?.etag(course.version))
    })
    .await
}

/// Duplicate a course
///
/// A new draft with the same settings and outline; no learners, no revisions. Scope: `courses:write`, with which clients need `courses:read`. Role: admin or author.
#[utoipa::path(tag = "authoring", operation_id = "duplicate_course", params(("course_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    request_body = DuplicateIn,
    responses((status = 201, description = "The copy.", body = CourseOut, headers(("Location" = String), ("ETag" = String)))),
    security(("user" = []), ("client" = ["courses:read", "courses:write"]), ("bearer" = [])))]
#[post("/v1/courses/{course_id}/duplicate")]
pub async fn duplicate_course(
    caller: Caller<need::CoursesWrite>,
    state: Anyone,
    retry: Retry,
    course_id: web::Path<Ref>,
    body: Body<DuplicateIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let course = service::duplicate(conn, ctx, &course_id, body.input)?;
        Ok(Answer::created(&format!("/v1/courses/{}", course.id), &course)?.etag(course.version))
    })
    .await
}

/// Archive a course
///
/// No new enrollments; those that exist go on. Scope: `courses:write`. Role: admin or author.
#[utoipa::path(tag = "authoring", operation_id = "archive_course", params(("course_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    responses((status = 200, description = "The archived course.", body = CourseOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["courses:write"]), ("bearer" = [])))]
#[post("/v1/courses/{course_id}/archive")]
pub async fn archive_course(
    caller: Caller<need::CoursesWrite>,
    state: Anyone,
    retry: Retry,
    course_id: web::Path<Ref>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        let course = service::archive(conn, ctx, &course_id)?;
        Ok(Answer::ok(&course)?.etag(course.version))
    })
    .await
}

/// Restore an archived course
///
/// Whoever joined meanwhile a group that it is assigned to is enrolled by a job. Scope: `courses:write`. Role: admin or author.
#[utoipa::path(tag = "authoring", operation_id = "restore_course", params(("course_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    responses((status = 200, description = "The restored course.", body = CourseOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["courses:write"]), ("bearer" = [])))]
#[post("/v1/courses/{course_id}/restore")]
pub async fn restore_course(
    caller: Caller<need::CoursesWrite>,
    state: Anyone,
    retry: Retry,
    course_id: web::Path<Ref>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        let course = service::restore(conn, ctx, &course_id)?;
        Ok(Answer::ok(&course)?.etag(course.version))
    })
    .await
}
