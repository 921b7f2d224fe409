//! `/v1/groups`.

use actix_web::{HttpRequest, delete, get, patch, post, web};

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::features::groups::dto::{GroupIn, GroupOut, GroupPatch, GroupQuery};
use crate::features::groups::service;
use crate::http::answer::Page;
use crate::http::{Answer, Body, Conditions, Query, Ref, Retry, commit, query};

/// Create a group
///
/// A static group, whose members are put in; a dynamic one, whose members follow from a condition over profile attributes and are kept current with them; or an organisational unit. Those who administer a unit may create units and static groups below it. Scope: `groups:write`. Role: admin, also of the unit above.
#[utoipa::path(tag = "people", operation_id = "create_group", request_body = GroupIn,
    responses((status = 201, description = "The new group.", body = GroupOut, headers(("Location" = String), ("ETag" = String)))),
    security(("user" = []), ("client" = ["groups:write"]), ("bearer" = [])))]
#[post("/v1/groups")]
pub async fn create_group(
    caller: Caller<need::GroupsWrite>,
    state: Anyone,
    retry: Retry,
    body: Body<GroupIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let group = service::create(conn, ctx, body.input)?;
        Ok(Answer::created(&format!("/v1/groups/{}", group.id), &group)?.etag(group.version))
    })
    .await
}

/// List groups
///
/// All for admins, authors, instructors, those with the role `manager`, and clients; what lies within their units for those with a role for a unit. Scope: `groups:read`.
#[utoipa::path(tag = "people", operation_id = "list_groups", params(GroupQuery),
    responses((status = 200, description = "A page of groups, in order of making.", body = Page<GroupOut>)),
    security(("user" = []), ("client" = ["groups:read"]), ("bearer" = [])))]
#[get("/v1/groups")]
pub async fn list_groups(
    caller: Caller<need::GroupsRead>,
    state: Anyone,
    request: HttpRequest,
    filter: Query<GroupQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| service::list(conn, &ctx, filter.0, &page)).await?;
    Answer::page(rows, &request)
}

/// Read a group
///
/// By id or `ext:<external_id>`. While a new condition is applied to all users, `membership` is `evaluating`. Scope: `groups:read`.
#[utoipa::path(tag = "people", operation_id = "get_group", params(("group_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    responses((status = 200, description = "The group.", body = GroupOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["groups:read"]), ("bearer" = [])))]
#[get("/v1/groups/{group_id}")]
pub async fn get_group(
    caller: Caller<need::GroupsRead>,
    state: Anyone,
    conditions: Conditions,
    group_id: web::Path<Ref>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let group = state.db.read(move |conn| service::get(conn, &ctx, &group_id)).await?;
    Ok(Answer::ok(&group)?.etag(group.version).unless_known(&conditions))
}

/// Change a group
///
/// A merge patch (RFC 7396). A new `parent_id` moves a unit with all below it; a new `condition` is applied to all users. Scope: `groups:write`. Role: admin, also of the unit.
#[utoipa::path(tag = "people", operation_id = "update_group", params(("group_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    request_body(content((GroupPatch = "application/merge-patch+json"), (GroupPatch = "application/json"))),
    responses((status = 200, description = "The changed group.", body = GroupOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["groups:write"]), ("bearer" = [])))]
#[patch("/v1/groups/{group_id}")]
pub async fn update_group(
    caller: Caller<need::GroupsWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    group_id: web::Path<Ref>,
    body: Body<GroupPatch>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let group = service::update(conn, ctx, &group_id, body.input, &conditions)?;
        Ok(Answer::ok(&group)?.etag(group.version))
    })
    .await
}

/// Delete a group
///
/// Its members stay users. Refused while groups lie below it or courses are assigned to it; roles held for a unit go with it. Scope: `groups:write`. Role: admin, also of the unit above.
#[utoipa::path(tag = "people", operation_id = "delete_group", params(("group_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    responses((status = 204, description = "Gone.")),
    security(("user" = []), ("client" = ["groups:write"]), ("bearer" = [])))]
#[delete("/v1/groups/{group_id}")]
pub async fn delete_group(
    caller: Caller<need::GroupsWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    group_id: web::Path<Ref>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        service::delete(conn, ctx, &group_id, &conditions)?;
        Ok(Answer::no_content())
    })
    .await
}
