//! `/scim/v2/Groups`.

use actix_web::{delete, get, patch, post, put, web};
use uuid::Uuid;

use super::body::ScimBody;
use super::{projection, shown};
use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::domain::scim::project::Projection;
use crate::domain::scim::schemas::GROUPS;
use crate::error::AppResult;
use crate::features::scim::dto::{ListQuery, ScimGroup, ScimGroupIn, ScimGroupList, ScimPatch, ShownQuery};
use crate::features::scim::listing::{self, What};
use crate::features::scim::write::{self, How, To, Write};
use crate::features::scim::{base, groups as service};
use crate::http::{Answer, Bytes, Conditions, Query, Retry};

/// List groups over SCIM
///
/// Static groups, dynamic groups and units, in the order of making unless sorted. With their members, which `excludedAttributes=members` saves. Pages by `startIndex` or by `cursor` (RFC 9865). Scope: `scim`. Role: admin.
#[utoipa::path(tag = "scim", operation_id = "list_scim_groups", params(ListQuery),
    responses((status = 200, description = "A page of groups.", body = ScimGroupList, content_type = "application/scim+json")),
    security(("user" = []), ("client" = ["scim"]), ("bearer" = [])))]
#[get("/scim/v2/Groups")]
pub async fn list_scim_groups(caller: Caller<need::Scim>, state: Anyone, query: Query<ListQuery>) -> AppResult<Answer> {
    let (ctx, base) = (caller.0, base(&state));
    let page = state.db.read_slow(move |conn| listing::list(conn, &ctx, What::Groups, &query.0.into(), &base)).await?;
    Answer::scim(200, &page)
}

/// Create a group over SCIM
///
/// A static group. Its members are users: groups within groups are refused (`invalidValue`). Courses assigned to it follow for its members in the same transaction. Scope: `scim`. Role: admin.
#[utoipa::path(tag = "scim", operation_id = "create_scim_group", params(ShownQuery),
    request_body(content((ScimGroupIn = "application/scim+json"), (ScimGroupIn = "application/json"))),
    responses((status = 201, description = "The new group.", body = ScimGroup, content_type = "application/scim+json", headers(("Location" = String), ("ETag" = String)))),
    security(("user" = []), ("client" = ["scim"]), ("bearer" = [])))]
#[post("/scim/v2/Groups")]
pub async fn create_scim_group(
    caller: Caller<need::Scim>,
    state: Anyone,
    retry: Retry,
    query: Query<ShownQuery>,
    body: ScimBody,
) -> AppResult<Answer> {
    let projection = projection(&query, &GROUPS)?;
    let write =
        Write { to: To::Groups, how: How::Create, body: body.members, conditions: Conditions::default(), projection };
    write::run(&state, &caller, retry, &body.raw, write).await
}

/// Read a group over SCIM
///
/// With its members, which `excludedAttributes=members` saves. The ETag changes with the group and with who its members are, not when a member is called otherwise: it is weak. Scope: `scim`. Role: admin.
#[utoipa::path(tag = "scim", operation_id = "get_scim_group", params(("group_id" = Uuid, Path, description = "The group's id."), ShownQuery),
    responses((status = 200, description = "The group.", body = ScimGroup, content_type = "application/scim+json", headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["scim"]), ("bearer" = [])))]
#[get("/scim/v2/Groups/{group_id}")]
pub async fn get_scim_group(
    caller: Caller<need::Scim>,
    state: Anyone,
    conditions: Conditions,
    group_id: web::Path<Uuid>,
    query: Query<ShownQuery>,
) -> AppResult<Answer> {
    let projection = projection(&query, &GROUPS)?;
    let (ctx, base) = (caller.0, base(&state));
    let found = state.db.read(move |conn| service::get(conn, &ctx, *group_id, &projection, &base)).await?;
    Ok(shown(&found)?.unless_known(&conditions))
}

/// Replace a group over SCIM
///
/// Members who are not listed go. Those of a dynamic group follow from its condition and cannot be listed. Scope: `scim`. Role: admin.
#[utoipa::path(tag = "scim", operation_id = "replace_scim_group", params(("group_id" = Uuid, Path, description = "The group's id."), ShownQuery),
    request_body(content((ScimGroupIn = "application/scim+json"), (ScimGroupIn = "application/json"))),
    responses((status = 200, description = "The group as it is now.", body = ScimGroup, content_type = "application/scim+json", headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["scim"]), ("bearer" = [])))]
#[put("/scim/v2/Groups/{group_id}")]
pub async fn replace_scim_group(
    caller: Caller<need::Scim>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    group_id: web::Path<Uuid>,
    query: Query<ShownQuery>,
    body: ScimBody,
) -> AppResult<Answer> {
    let projection = projection(&query, &GROUPS)?;
    let write = Write { to: To::Group(*group_id), how: How::Replace, body: body.members, conditions, projection };
    write::run(&state, &caller, retry, &body.raw, write).await
}

/// Change a group over SCIM
///
/// Understands what Okta and Microsoft Entra send. Taking out by value who is no member changes nothing. Members of a dynamic group follow from its condition and cannot be changed. Scope: `scim`. Role: admin.
#[utoipa::path(tag = "scim", operation_id = "update_scim_group", params(("group_id" = Uuid, Path, description = "The group's id."), ShownQuery),
    request_body(content((ScimPatch = "application/scim+json"), (ScimPatch = "application/json"))),
    responses((status = 200, description = "The group as it is now.", body = ScimGroup, content_type = "application/scim+json", headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["scim"]), ("bearer" = [])))]
#[patch("/scim/v2/Groups/{group_id}")]
pub async fn update_scim_group(
    caller: Caller<need::Scim>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    group_id: web::Path<Uuid>,
    query: Query<ShownQuery>,
    body: ScimBody,
) -> AppResult<Answer> {
    let projection = projection(&query, &GROUPS)?;
    let write = Write { to: To::Group(*group_id), how: How::Patch, body: body.members, conditions, projection };
    write::run(&state, &caller, retry, &body.raw, write).await
}

/// Delete a group over SCIM
///
/// A unit with groups below it, and a group with courses assigned, is not deleted: 409. Scope: `scim`. Role: admin.
#[utoipa::path(tag = "scim", operation_id = "delete_scim_group", params(("group_id" = Uuid, Path, description = "The group's id.")),
    responses((status = 204, description = "The group is not there any more.")),
    security(("user" = []), ("client" = ["scim"]), ("bearer" = [])))]
#[delete("/scim/v2/Groups/{group_id}")]
pub async fn delete_scim_group(
    caller: Caller<need::Scim>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    group_id: web::Path<Uuid>,
) -> AppResult<Answer> {
    let projection = Projection::default();
    let write =
        Write { to: To::Group(*group_id), how: How::Delete, body: serde_json::Map::new(), conditions, projection };
    write::run(&state, &caller, retry, &Bytes::new(), write).await
}
