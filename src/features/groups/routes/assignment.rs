//! `/v1/courses/{course_id}/group-enrollments`.

use actix_web::{HttpRequest, delete, get, put, web};

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::features::groups::assignments as service;
use crate::features::groups::dto::{AssignmentIn, AssignmentOut, PageQuery, UnassignQuery};
use crate::http::answer::Page;
use crate::http::{Answer, Body, Conditions, Query, Ref, Retry, commit, query};

/// Assign a course to a group
///
/// Everybody in the group (of a unit, also everybody below it) is enrolled with source `group`, and so is everybody who joins later. Those who have completed the course already are left in peace. Units that move in the tree take their people along, into courses and out of them. While a course is archived nobody is enrolled in it; restoring it makes up for that. Assigning again enrols whoever is missing. Many members are enrolled by a job: `state` is `enrolling` meanwhile. Scopes: `enrollments:write` and `groups:read`. Role: instructor or admin, also of the unit.
#[utoipa::path(tag = "learning", operation_id = "assign_group",
    params(("course_id" = String, Path, description = "Id or `ext:<external_id>`."), ("group_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    request_body = AssignmentIn,
    responses((status = 200, description = "The assignment.", body = AssignmentOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["enrollments:write", "groups:read"]), ("bearer" = [])))]
#[put("/v1/courses/{course_id}/group-enrollments/{group_id}")]
pub async fn assign_group(
    caller: Caller<need::EnrollmentsWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    path: web::Path<(Ref, Ref)>,
    body: Body<AssignmentIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let assignment = service::assign(conn, ctx, &path.0, &path.1, &body.input, &conditions)?;
        Ok(Answer::ok(&assignment)?.etag(assignment.version))
    })
    .await
}

/// Read a group's assignment
///
/// With how far the enrolment of its members is. Scopes: `enrollments:read` and `groups:read`. Role: instructor or admin, also of the unit.
#[utoipa::path(tag = "learning", operation_id = "get_group_assignment",
    params(("course_id" = String, Path, description = "Id or `ext:<external_id>`."), ("group_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    responses((status = 200, description = "The assignment.", body = AssignmentOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["enrollments:read", "groups:read"]), ("bearer" = [])))]
#[get("/v1/courses/{course_id}/group-enrollments/{group_id}")]
pub async fn get_group_assignment(
    caller: Caller<need::EnrollmentsRead>,
    state: Anyone,
    conditions: Conditions,
    path: web::Path<(Ref, Ref)>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let assignment = state.db.read(move |conn| service::get(conn, &ctx, &path.0, &path.1)).await?;
    Ok(Answer::ok(&assignment)?.etag(assignment.version).unless_known(&conditions))
}

/// List the groups that a course is assigned to
///
/// Those who administer a unit see the groups within it. Scope: `enrollments:read`. Role: instructor or admin, also of a unit.
#[utoipa::path(tag = "learning", operation_id = "list_group_assignments", params(("course_id" = String, Path, description = "Id or `ext:<external_id>`."), PageQuery),
    responses((status = 200, description = "A page of assignments.", body = Page<AssignmentOut>)),
    security(("user" = []), ("client" = ["enrollments:read"]), ("bearer" = [])))]
#[get("/v1/courses/{course_id}/group-enrollments")]
pub async fn list_group_assignments(
    caller: Caller<need::EnrollmentsRead>,
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

/// End a group's assignment
///
/// Those enrolled stay in the course; with `?withdraw=true` they are withdrawn unless they have completed it or another group of theirs has it too. Scopes: `enrollments:write` and `groups:read`. Role: instructor or admin, also of the unit.
#[utoipa::path(tag = "learning", operation_id = "unassign_group",
    params(("course_id" = String, Path, description = "Id or `ext:<external_id>`."), ("group_id" = String, Path, description = "Id or `ext:<external_id>`."), UnassignQuery),
    responses((status = 204, description = "Ended.")),
    security(("user" = []), ("client" = ["enrollments:write", "groups:read"]), ("bearer" = [])))]
#[delete("/v1/courses/{course_id}/group-enrollments/{group_id}")]
pub async fn unassign_group(
    caller: Caller<need::EnrollmentsWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    path: web::Path<(Ref, Ref)>,
    options: Query<UnassignQuery>,
) -> AppResult<Answer> {
    let withdraw = options.0.withdraw.unwrap_or(false);
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        service::unassign(conn, ctx, &path.0, &path.1, withdraw, &conditions)?;
        Ok(Answer::no_content())
    })
    .await
}
