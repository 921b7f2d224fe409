//! `/v1/competencies`.

use actix_web::{HttpRequest, delete, get, patch, post, web};
use uuid::Uuid;

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::features::competencies::dto::{CompetencyIn, CompetencyOut, CompetencyPatch, CompetencyQuery};
use crate::features::competencies::service::competencies as service;
use crate::http::answer::Page;
use crate::http::{Answer, Body, Conditions, Query, Retry, commit, query};

/// Create a competency
///
/// At the end of its framework, below another competency if `parent_id` says so; if that rolls up, it is reckoned again within seconds. Scope: `competencies:write`. Role: admin or author.
#[utoipa::path(tag = "competencies", operation_id = "create_competency",
    request_body = CompetencyIn,
    responses((status = 201, description = "The new competency.", body = CompetencyOut, headers(("Location" = String), ("ETag" = String)))),
    security(("user" = []), ("client" = ["competencies:write"]), ("bearer" = [])))]
#[post("/v1/competencies")]
pub async fn create_competency(
    caller: Caller<need::CompetenciesWrite>,
    state: Anyone,
    retry: Retry,
    body: Body<CompetencyIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let made = service::create(conn, ctx, body.input)?;
        Ok(Answer::created(&format!("/v1/competencies/{}", made.id), &made)?.etag(made.version))
    })
    .await
}

/// List competencies
///
/// Of all frameworks or one; of the whole tree, its top, or below one of them. Scope: `competencies:read`.
#[utoipa::path(tag = "competencies", operation_id = "list_competencies", params(CompetencyQuery),
    responses((status = 200, description = "A page of competencies.", body = Page<CompetencyOut>)),
    security(("user" = []), ("client" = ["competencies:read"]), ("bearer" = [])))]
#[get("/v1/competencies")]
pub async fn list_competencies(
    caller: Caller<need::CompetenciesRead>,
    state: Anyone,
    request: HttpRequest,
    filter: Query<CompetencyQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| service::list(conn, &ctx, &filter.0, &page)).await?;
    Answer::page(rows, &request)
}

/// Read a competency
///
/// With its levels, its method and the formula by which mastery is reckoned. Scope: `competencies:read`.
#[utoipa::path(tag = "competencies", operation_id = "get_competency", params(("competency_id" = Uuid, Path)),
    responses((status = 200, description = "The competency.", body = CompetencyOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["competencies:read"]), ("bearer" = [])))]
#[get("/v1/competencies/{competency_id}")]
pub async fn get_competency(
    caller: Caller<need::CompetenciesRead>,
    state: Anyone,
    conditions: Conditions,
    path: web::Path<Uuid>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let found = state.db.read(move |conn| service::get(conn, &ctx, *path)).await?;
    Ok(Answer::ok(&found)?.etag(found.version).unless_known(&conditions))
}

/// Change a competency
///
/// A merge patch. When mastery is reckoned in another way, everybody's is reckoned again within seconds. A level that the conditions of a published course, or the target of a course or goal, name cannot go or rise: `in_use`, and `named_by` lists what names it. Scope: `competencies:write`. Role: admin or author.
#[utoipa::path(tag = "competencies", operation_id = "update_competency", params(("competency_id" = Uuid, Path)),
    request_body(content((CompetencyPatch = "application/merge-patch+json"), (CompetencyPatch = "application/json"))),
    responses((status = 200, description = "The changed competency.", body = CompetencyOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["competencies:write"]), ("bearer" = [])))]
#[patch("/v1/competencies/{competency_id}")]
pub async fn update_competency(
    caller: Caller<need::CompetenciesWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    path: web::Path<Uuid>,
    body: Body<CompetencyPatch>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let made = service::update(conn, ctx, *path, body.input, &conditions)?;
        Ok(Answer::ok(&made)?.etag(made.version))
    })
    .await
}

/// Delete a competency
///
/// Only while nothing refers to it; what is in use is retired with `PATCH {"retired": true}`. Scope: `competencies:write`. Role: admin or author.
#[utoipa::path(tag = "competencies", operation_id = "delete_competency", params(("competency_id" = Uuid, Path)),
    responses((status = 204, description = "Gone.")),
    security(("user" = []), ("client" = ["competencies:write"]), ("bearer" = [])))]
#[delete("/v1/competencies/{competency_id}")]
pub async fn delete_competency(
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
