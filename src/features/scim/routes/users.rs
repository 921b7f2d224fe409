//! `/scim/v2/Users`.

use actix_web::{delete, get, patch, post, put, web};
use uuid::Uuid;

use super::body::ScimBody;
use super::{projection, shown};
use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::domain::scim::project::Projection;
use crate::domain::scim::schemas::USERS;
use crate::error::AppResult;
use crate::features::scim::dto::{ListQuery, ScimPatch, ScimUser, ScimUserIn, ScimUserList, ShownQuery};
use crate::features::scim::listing::{self, What};
use crate::features::scim::write::{self, How, To, Write};
use crate::features::scim::{base, users as service};
use crate::http::{Answer, Bytes, Conditions, Query, Retry};

/// List users over SCIM
///
/// All users who have not left, in the order of making unless sorted. Filters on userName, externalId, emails, groups, active, id, the instants of meta, and of the enterprise extension employeeNumber and manager are answered by an index. Attributes of the extension are named with its URI in front, as RFC 7644 §3.10 has it: `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "Sales"`. Pages by `startIndex` or by `cursor` (RFC 9865). Scope: `scim`. Role: admin.
#[utoipa::path(tag = "scim", operation_id = "list_scim_users", params(ListQuery),
    responses((status = 200, description = "A page of users.", body = ScimUserList, content_type = "application/scim+json")),
    security(("user" = []), ("client" = ["scim"]), ("bearer" = [])))]
#[get("/scim/v2/Users")]
pub async fn list_scim_users(caller: Caller<need::Scim>, state: Anyone, query: Query<ListQuery>) -> AppResult<Answer> {
    let (ctx, base) = (caller.0, base(&state));
    let page = state.db.read_slow(move |conn| listing::list(conn, &ctx, What::Users, &query.0.into(), &base)).await?;
    Answer::scim(200, &page)
}

/// Create a user over SCIM
///
/// Whoever left and has the same `externalId`, or the same `userName`, comes back as the same user with all history. Roles and what Cairn alone knows are at `/v1/users`. Scope: `scim`. Role: admin.
#[utoipa::path(tag = "scim", operation_id = "create_scim_user", params(ShownQuery),
    request_body(content((ScimUserIn = "application/scim+json"), (ScimUserIn = "application/json"))),
    responses((status = 201, description = "The new user.", body = ScimUser, content_type = "application/scim+json", headers(("Location" = String), ("ETag" = String)))),
    security(("user" = []), ("client" = ["scim"]), ("bearer" = [])))]
#[post("/scim/v2/Users")]
pub async fn create_scim_user(
    caller: Caller<need::Scim>,
    state: Anyone,
    retry: Retry,
    query: Query<ShownQuery>,
    body: ScimBody,
) -> AppResult<Answer> {
    let projection = projection(&query, &USERS)?;
    let write =
        Write { to: To::Users, how: How::Create, body: body.members, conditions: Conditions::default(), projection };
    write::run(&state, &caller, retry, &body.raw, write).await
}

/// Read a user over SCIM
///
/// Those who left are not there. Scope: `scim`. Role: admin.
#[utoipa::path(tag = "scim", operation_id = "get_scim_user", params(("user_id" = Uuid, Path, description = "The user's id."), ShownQuery),
    responses((status = 200, description = "The user.", body = ScimUser, content_type = "application/scim+json", headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["scim"]), ("bearer" = [])))]
#[get("/scim/v2/Users/{user_id}")]
pub async fn get_scim_user(
    caller: Caller<need::Scim>,
    state: Anyone,
    conditions: Conditions,
    user_id: web::Path<Uuid>,
    query: Query<ShownQuery>,
) -> AppResult<Answer> {
    let projection = projection(&query, &USERS)?;
    let (ctx, base) = (caller.0, base(&state));
    let found = state.db.read(move |conn| service::get(conn, &ctx, *user_id, &projection, &base)).await?;
    Ok(shown(&found)?.unless_known(&conditions))
}

/// Replace a user over SCIM
///
/// What is left out is cleared, but the password and the state stay. Machine clients do not change admins. Scope: `scim`. Role: admin.
#[utoipa::path(tag = "scim", operation_id = "replace_scim_user", params(("user_id" = Uuid, Path, description = "The user's id."), ShownQuery),
    request_body(content((ScimUserIn = "application/scim+json"), (ScimUserIn = "application/json"))),
    responses((status = 200, description = "The user as it is now.", body = ScimUser, content_type = "application/scim+json", headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["scim"]), ("bearer" = [])))]
#[put("/scim/v2/Users/{user_id}")]
pub async fn replace_scim_user(
    caller: Caller<need::Scim>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    user_id: web::Path<Uuid>,
    query: Query<ShownQuery>,
    body: ScimBody,
) -> AppResult<Answer> {
    let projection = projection(&query, &USERS)?;
    let write = Write { to: To::User(*user_id), how: How::Replace, body: body.members, conditions, projection };
    write::run(&state, &caller, retry, &body.raw, write).await
}

/// Change a user over SCIM
///
/// Understands what Okta and Microsoft Entra send. A path with a filter that no element fits is `noTarget` (RFC 7644 §3.5.2.3), but for what Entra means so: `add` and `replace` at `emails[type eq "work"].value`, where the type is one that the schema names or the list has no usual types, and at `roles[primary eq "True"].value`, make the element. `active: false` suspends the user and ends the sessions at once. Machine clients do not change admins. Scope: `scim`. Role: admin.
#[utoipa::path(tag = "scim", operation_id = "update_scim_user", params(("user_id" = Uuid, Path, description = "The user's id."), ShownQuery),
    request_body(content((ScimPatch = "application/scim+json"), (ScimPatch = "application/json"))),
    responses((status = 200, description = "The user as it is now.", body = ScimUser, content_type = "application/scim+json", headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["scim"]), ("bearer" = [])))]
#[patch("/scim/v2/Users/{user_id}")]
pub async fn update_scim_user(
    caller: Caller<need::Scim>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    user_id: web::Path<Uuid>,
    query: Query<ShownQuery>,
    body: ScimBody,
) -> AppResult<Answer> {
    let projection = projection(&query, &USERS)?;
    let write = Write { to: To::User(*user_id), how: How::Patch, body: body.members, conditions, projection };
    write::run(&state, &caller, retry, &body.raw, write).await
}

/// Delete a user over SCIM
///
/// The user has left: no log-in, no new work, and not found over SCIM. The history stays, and making the user again brings the same one back. Machine clients do not change admins. Scope: `scim`. Role: admin.
#[utoipa::path(tag = "scim", operation_id = "delete_scim_user", params(("user_id" = Uuid, Path, description = "The user's id.")),
    responses((status = 204, description = "The user is not there any more.")),
    security(("user" = []), ("client" = ["scim"]), ("bearer" = [])))]
#[delete("/scim/v2/Users/{user_id}")]
pub async fn delete_scim_user(
    caller: Caller<need::Scim>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    user_id: web::Path<Uuid>,
) -> AppResult<Answer> {
    let projection = Projection::default();
    let write =
        Write { to: To::User(*user_id), how: How::Delete, body: serde_json::Map::new(), conditions, projection };
    write::run(&state, &caller, retry, &Bytes::new(), write).await
}
