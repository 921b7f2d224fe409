//! `/v1/goals`.

use actix_web::{HttpRequest, delete, get, patch, post, put, web};
use uuid::Uuid;

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::features::competencies::dto::{GoalIn, GoalLearnerOut, GoalOut, GoalPatch, PageQuery, UserGoalOut};
use crate::features::competencies::service::goals as service;
use crate::http::answer::Page;
use crate::http::{Answer, Body, Conditions, Query, Ref, Retry, commit, query};

/// Create a goal
///
/// A job role and the mastery that it requires. Scope: `competencies:write`. Role: admin, author or instructor.
#[utoipa::path(tag = "competencies", operation_id = "create_goal",
    request_body = GoalIn,
    responses((status = 201, description = "The new goal.", body = GoalOut, headers(("Location" = String), ("ETag" = String)))),
    security(("user" = []), ("client" = ["competencies:write"]), ("bearer" = [])))]
#[post("/v1/goals")]
pub async fn create_goal(
    caller: Caller<need::CompetenciesWrite>,
    state: Anyone,
    retry: Retry,
    body: Body<GoalIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let made = service::create(conn, ctx, body.input)?;
        Ok(Answer::created(&format!("/v1/goals/{}", made.id), &made)?.etag(made.version))
    })
    .await
}

/// List goals
///
/// In order of their making. Scope: `competencies:read`.
#[utoipa::path(tag = "competencies", operation_id = "list_goals", params(PageQuery),
    responses((status = 200, description = "A page of goals.", body = Page<GoalOut>)),
    security(("user" = []), ("client" = ["competencies:read"]), ("bearer" = [])))]
#[get("/v1/goals")]
pub async fn list_goals(
    caller: Caller<need::CompetenciesRead>,
    state: Anyone,
    request: HttpRequest,
    filter: Query<PageQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| service::list(conn, &ctx, &page)).await?;
    Answer::page(rows, &request)
}

/// Read a goal
///
/// With its requirements. Scope: `competencies:read`.
#[utoipa::path(tag = "competencies", operation_id = "get_goal", params(("goal_id" = Uuid, Path)),
    responses((status = 200, description = "The goal.", body = GoalOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["competencies:read"]), ("bearer" = [])))]
#[get("/v1/goals/{goal_id}")]
pub async fn get_goal(
    caller: Caller<need::CompetenciesRead>,
    state: Anyone,
    conditions: Conditions,
    path: web::Path<Uuid>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let found = state.db.read(move |conn| service::get(conn, &ctx, *path)).await?;
    Ok(Answer::ok(&found)?.etag(found.version).unless_known(&conditions))
}

/// Change a goal
///
/// A merge patch; `requirements` replaces all of them. Scope: `competencies:write`. Role: admin, author or instructor.
#[utoipa::path(tag = "competencies", operation_id = "update_goal", params(("goal_id" = Uuid, Path)),
    request_body(content((GoalPatch = "application/merge-patch+json"), (GoalPatch = "application/json"))),
    responses((status = 200, description = "The changed goal.", body = GoalOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["competencies:write"]), ("bearer" = [])))]
#[patch("/v1/goals/{goal_id}")]
pub async fn update_goal(
    caller: Caller<need::CompetenciesWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    path: web::Path<Uuid>,
    body: Body<GoalPatch>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let made = service::update(conn, ctx, *path, body.input, &conditions)?;
        Ok(Answer::ok(&made)?.etag(made.version))
    })
    .await
}

/// Delete a goal
///
/// Nobody has it any more. Scope: `competencies:write`. Role: admin, author or instructor.
#[utoipa::path(tag = "competencies", operation_id = "delete_goal", params(("goal_id" = Uuid, Path)),
    responses((status = 204, description = "Gone.")),
    security(("user" = []), ("client" = ["competencies:write"]), ("bearer" = [])))]
#[delete("/v1/goals/{goal_id}")]
pub async fn delete_goal(
    caller: Caller<need::CompetenciesWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    path: web::Path<Uuid>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        service::delete(conn, ctx, *path, &conditions)?;
        Ok(Answer::no_content())
    })
    .await
}

/// List who has a goal
///
/// By id. Scope: `competencies:read`. Role: admin, instructor or manager; managers of people see those below them, whoever holds a role for a unit its people.
#[utoipa::path(tag = "competencies", operation_id = "list_goal_learners", params(("goal_id" = Uuid, Path), PageQuery),
    responses((status = 200, description = "A page of learners.", body = Page<GoalLearnerOut>)),
    security(("user" = []), ("client" = ["competencies:read"]), ("bearer" = [])))]
#[get("/v1/goals/{goal_id}/learners")]
pub async fn list_goal_learners(
    caller: Caller<need::CompetenciesRead>,
    state: Anyone,
    request: HttpRequest,
    path: web::Path<Uuid>,
    filter: Query<PageQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| service::learners(conn, &ctx, *path, &page)).await?;
    Answer::page(rows, &request)
}

/// Give somebody a goal
///
/// Again changes nothing. Scope: `competencies:write`. Role: admin, instructor, or a manager of the person.
#[utoipa::path(tag = "competencies", operation_id = "assign_goal", params(("goal_id" = Uuid, Path), ("user_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    responses((status = 200, description = "Who has it, and since when.", body = GoalLearnerOut)),
    security(("user" = []), ("client" = ["competencies:write"]), ("bearer" = [])))]
#[put("/v1/goals/{goal_id}/learners/{user_id}")]
pub async fn assign_goal(
    caller: Caller<need::CompetenciesWrite>,
    state: Anyone,
    retry: Retry,
    path: web::Path<(Uuid, Ref)>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        let made = service::assign(conn, ctx, path.0, &path.1)?;
        Answer::ok(&made)
    })
    .await
}

/// Take a goal from somebody
///
/// Scope: `competencies:write`. Role: admin, instructor, or a manager of the person.
#[utoipa::path(tag = "competencies", operation_id = "unassign_goal", params(("goal_id" = Uuid, Path), ("user_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    responses((status = 204, description = "Gone.")),
    security(("user" = []), ("client" = ["competencies:write"]), ("bearer" = [])))]
#[delete("/v1/goals/{goal_id}/learners/{user_id}")]
pub async fn unassign_goal(
    caller: Caller<need::CompetenciesWrite>,
    state: Anyone,
    retry: Retry,
    path: web::Path<(Uuid, Ref)>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        service::unassign(conn, ctx, path.0, &path.1)?;
        Ok(Answer::no_content())
    })
    .await
}

/// List a person's goals
///
/// With the gap for each requirement, and the published courses that close it. Scope: `competencies:read`.
#[utoipa::path(tag = "competencies", operation_id = "list_user_goals", params(("user_id" = String, Path, description = "Id or `ext:<external_id>`."), PageQuery),
    responses((status = 200, description = "A page of goals.", body = Page<UserGoalOut>)),
    security(("user" = []), ("client" = ["competencies:read"]), ("bearer" = [])))]
#[get("/v1/users/{user_id}/goals")]
pub async fn list_user_goals(
    caller: Caller<need::CompetenciesRead>,
    state: Anyone,
    request: HttpRequest,
    path: web::Path<Ref>,
    filter: Query<PageQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| service::of_user(conn, &ctx, &path, &page)).await?;
    Answer::page(rows, &request)
}
