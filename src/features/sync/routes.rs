//! `/v1/sync/plans`, `/v1/clients/{client_id}/sync-settings`.

use actix_web::http::header;
use actix_web::{HttpRequest, get, post, put, web};
use uuid::Uuid;

use super::dto::{ApplyIn, PlanOut, PlanRowOut, RowQuery, SyncIn, SyncQuery, SyncSettings};
use super::reading::{Format, settle_encoding};
use super::service;
use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::http::answer::Page;
use crate::http::{Answer, Body, Conditions, Query, Retry, body, commit, query};

/// Bytes that a list may have; more than other bodies.
const LIST_LIMIT: usize = 32 * 1024 * 1024;

/// Plan a sync of all employees
///
/// Send the whole list, as JSON, NDJSON or CSV (at most 32 MiB and 200,000 employees). Nothing changes yet: the plan says what would, row by row with before and after, names every fault with its row, and is `blocked` when a guard objects: too many would leave (10 % when not said otherwise), too many rows are at fault, a column went empty, the list is empty, or rows cannot be told. Users are matched by external id, then employee number, then e-mail. People may swap their e-mails or employee numbers. Whoever left and comes back with another external id is the same user by employee number, or by e-mail when number and given name do not speak against it. The e-mail of somebody who has left, or leaves with this list, may go to somebody else: the one who left keeps none. Whoever is active and missing leaves (nothing is deleted); whoever is suspended stays so, and counts for no guard; whoever comes back is active again. Rows that a machine client sends about admins, rows about erased people, and rows by which nobody would be left who administers the site are `conflict` from the start. With JSON, options may stand in the query too, but none in both places. Scope: `users:write`. Role: admin.
#[utoipa::path(tag = "people", operation_id = "create_sync_plan", params(SyncQuery),
    request_body(content((SyncIn = "application/json"), (super::dto::EmployeeIn = "application/x-ndjson"), (String = "text/csv"))),
    responses((status = 201, description = "The plan.", body = PlanOut, headers(("Location" = String), ("ETag" = String)))),
    security(("user" = []), ("client" = ["users:write"]), ("bearer" = [])))]
#[post("/v1/sync/plans")]
pub async fn create_sync_plan(
    caller: Caller<need::UsersWrite>,
    state: Anyone,
    retry: Retry,
    mut options: Query<SyncQuery>,
    request: HttpRequest,
    payload: web::Payload,
) -> AppResult<Answer> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let format = Format::of(content_type)?;
    settle_encoding(format, content_type, &mut options.0)?;
    let _turn = service::turn().await.map_err(|error| error.with_header(header::RETRY_AFTER, "60"))?;
    let raw = body::read(&request, &mut payload.into_inner(), LIST_LIMIT).await?;
    let (list, options, digest) = service::read_list(format, raw, options.0).await?;
    let made = service::make(&state, &caller, list, options).await?;
    commit(&state, &caller, retry, &digest.into(), move |conn, ctx| {
        let plan = service::publish(conn, ctx, made)?;
        Ok(Answer::created(&format!("/v1/sync/plans/{}", plan.id), &plan)?.etag(plan.version))
    })
    .await
}

/// Read a sync plan
///
/// With its counts and guards, and while it is applied how far that is. Scope: `users:write`. Role: admin.
#[utoipa::path(tag = "people", operation_id = "get_sync_plan", params(("plan_id" = Uuid, Path)),
    responses((status = 200, description = "The plan.", body = PlanOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["users:write"]), ("bearer" = [])))]
#[get("/v1/sync/plans/{plan_id}")]
pub async fn get_sync_plan(
    caller: Caller<need::UsersWrite>,
    state: Anyone,
    conditions: Conditions,
    plan_id: web::Path<Uuid>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let plan = state.db.read(move |conn| service::get(conn, &ctx, *plan_id)).await?;
    Ok(Answer::ok(&plan)?.etag(plan.version).unless_known(&conditions))
}

/// List a sync plan's rows
///
/// Every change with before and after, every row at fault with its faults, and once applied how each fared. Rows that change nothing are counted only. The order is the one in which they are applied and stays the same: first those who hand on an e-mail or employee number, together with whoever gets it; then `create` (managers before those who report to them), `update`, `reactivate`, `deactivate`, `error`; within each of these by their place in the list, and those who are not in it last. Scope: `users:write`. Role: admin.
#[utoipa::path(tag = "people", operation_id = "list_sync_plan_rows", params(("plan_id" = Uuid, Path), RowQuery),
    responses((status = 200, description = "A page of rows, in the order in which they are applied.", body = Page<PlanRowOut>)),
    security(("user" = []), ("client" = ["users:write"]), ("bearer" = [])))]
#[get("/v1/sync/plans/{plan_id}/rows")]
pub async fn list_sync_plan_rows(
    caller: Caller<need::UsersWrite>,
    state: Anyone,
    request: HttpRequest,
    plan_id: web::Path<Uuid>,
    filter: Query<RowQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| service::rows(conn, &ctx, *plan_id, &filter.0, &page)).await?;
    Answer::page(rows, &request)
}

/// Apply a sync plan
///
/// The worker applies it in pieces; read the plan to see how far it is. A blocked plan needs `override_guards`. A row whose user has changed since the plan was made is left alone, with the state `conflict`. So is one about an admin when a machine client made or applies the plan, and the last admin's. One plan is applied at a time; applying the same one again changes nothing. A plan that the worker has to give up, after many attempts, is `failed`: what was applied stays, the rest is `skipped`. What a plan changes stands in the audit log as done by whoever applied it. Scope: `users:write`. Role: admin.
#[utoipa::path(tag = "people", operation_id = "apply_sync_plan", params(("plan_id" = Uuid, Path)), request_body = ApplyIn,
    responses((status = 202, description = "It is being applied.", body = PlanOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["users:write"]), ("bearer" = [])))]
#[post("/v1/sync/plans/{plan_id}/apply")]
pub async fn apply_sync_plan(
    caller: Caller<need::UsersWrite>,
    state: Anyone,
    retry: Retry,
    plan_id: web::Path<Uuid>,
    body: Body<ApplyIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let plan = service::start(conn, ctx, *plan_id, &body.input)?;
        Ok(Answer::accepted(&plan)?.etag(plan.version))
    })
    .await
}

/// Read a client's sync settings
///
/// How strict the guards of its sync plans are. Role: admin.
#[utoipa::path(tag = "people", operation_id = "get_sync_settings", params(("client_id" = Uuid, Path)),
    responses((status = 200, description = "The settings.", body = SyncSettings)),
    security(("user" = []), ("bearer" = [])))]
#[get("/v1/clients/{client_id}/sync-settings")]
pub async fn get_sync_settings(
    caller: Caller<need::User>,
    state: Anyone,
    client_id: web::Path<Uuid>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let settings = state.db.read(move |conn| service::settings(conn, &ctx, *client_id)).await?;
    Ok(Answer::ok(&settings)?.etag_of_body())
}

/// Set a client's sync settings
///
/// Upper bounds of the options of the same names: the client's plans may be stricter, never laxer. Role: admin.
#[utoipa::path(tag = "people", operation_id = "set_sync_settings", params(("client_id" = Uuid, Path)), request_body = SyncSettings,
    responses((status = 200, description = "The settings.", body = SyncSettings)),
    security(("user" = []), ("bearer" = [])))]
#[put("/v1/clients/{client_id}/sync-settings")]
pub async fn set_sync_settings(
    caller: Caller<need::User>,
    state: Anyone,
    retry: Retry,
    client_id: web::Path<Uuid>,
    body: Body<SyncSettings>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        Answer::ok(&service::set_settings(conn, ctx, *client_id, body.input)?)
    })
    .await
}
