//! `/v1/courses/{course_id}/staff`.

use actix_web::{HttpRequest, delete, get, put, web};

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::features::courses::dto::{PageQuery, StaffIn, StaffOut};
use crate::features::courses::staff as service;
use crate::http::answer::Page;
use crate::http::{Answer, Body, Query, Ref, Retry, commit, query};

/// List a course's staff
///
/// Who writes and teaches it, besides those with a role for the whole site. Scope: `courses:read`. Role: admin, author or instructor.
#[utoipa::path(tag = "authoring", operation_id = "list_staff", params(("course_id" = String, Path, description = "Id or `ext:<external_id>`."), PageQuery),
    responses((status = 200, description = "A page of staff.", body = Page<StaffOut>)),
    security(("user" = []), ("client" = ["courses:read"]), ("bearer" = [])))]
#[get("/v1/courses/{course_id}/staff")]
pub async fn list_staff(
    caller: Caller<need::CoursesRead>,
    state: Anyone,
    request: HttpRequest,
    course_id: web::Path<Ref>,
    filter: Query<PageQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| service::list(conn, &ctx, &course_id, &page)).await?;
    Answer::page(rows, &request)
}

/// Put a user on a course's staff
///
/// As author or instructor of this course only. Scope: `courses:write`. Role: admin or author.
#[utoipa::path(tag = "authoring", operation_id = "set_staff_member",
    params(("course_id" = String, Path, description = "Id or `ext:<external_id>`."), ("user_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    request_body = StaffIn, responses((status = 200, description = "The member of staff.", body = StaffOut)),
    security(("user" = []), ("client" = ["courses:write"]), ("bearer" = [])))]
#[put("/v1/courses/{course_id}/staff/{user_id}")]
pub async fn set_staff_member(
    caller: Caller<need::CoursesWrite>,
    state: Anyone,
    retry: Retry,
    path: web::Path<(Ref, Ref)>,
    body: Body<StaffIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        Answer::ok(&service::set(conn, ctx, &path.0, &path.1, &body.input)?)
    })
    .await
}

/// Take a user off a course's staff
///
/// Scope: `courses:write`. Role: admin or author.
#[utoipa::path(tag = "authoring", operation_id = "remove_staff_member",
    params(("course_id" = String, Path, description = "Id or `ext:<external_id>`."), ("user_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    responses((status = 204, description = "Off the staff.")),
    security(("user" = []), ("client" = ["courses:write"]), ("bearer" = [])))]
#[delete("/v1/courses/{course_id}/staff/{user_id}")]
pub async fn remove_staff_member(
    caller: Caller<need::CoursesWrite>,
    state: Anyone,
    retry: Retry,
    path: web::Path<(Ref, Ref)>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        service::remove(conn, ctx, &path.0, &path.1)?;
        Ok(Answer::no_content())
    })
    .await
}
