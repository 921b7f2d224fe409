//! `/scim/v2/Me`.

use actix_web::{get, patch, put};

use super::body::ScimBody;
use super::{projection, shown};
use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::domain::scim::schemas::USERS;
use crate::error::AppResult;
use crate::features::scim::dto::{ScimPatch, ScimUser, ScimUserIn, ShownQuery};
use crate::features::scim::write::{self, How, To, Write};
use crate::features::scim::{base, users};
use crate::http::{Answer, Conditions, Query, Retry};

/// Read myself over SCIM
///
/// The logged-in user. A machine client is nobody and gets a 403.
#[utoipa::path(tag = "scim", operation_id = "get_scim_me", params(ShownQuery),
    responses((status = 200, description = "The caller.", body = ScimUser, content_type = "application/scim+json", headers(("ETag" = String)))),
    security(("user" = []), ("bearer" = [])))]
#[get("/scim/v2/Me")]
pub async fn get_scim_me(
    caller: Caller<need::User>,
    state: Anyone,
    conditions: Conditions,
    query: Query<ShownQuery>,
) -> AppResult<Answer> {
    let projection = projection(&query, &USERS)?;
    let (ctx, base) = (caller.0, base(&state));
    let found = state.db.read(move |conn| users::me(conn, &ctx, &projection, &base)).await?;
    Ok(shown(&found)?.unless_known(&conditions))
}

/// Replace myself over SCIM
///
/// Everybody may change locale, timezone, preferredLanguage and nickName of themselves, admins everything.
#[utoipa::path(tag = "scim", operation_id = "replace_scim_me", params(ShownQuery),
    request_body(content((ScimUserIn = "application/scim+json"), (ScimUserIn = "application/json"))),
    responses((status = 200, description = "The caller as they are now.", body = ScimUser, content_type = "application/scim+json", headers(("ETag" = String)))),
    security(("user" = []), ("bearer" = [])))]
#[put("/scim/v2/Me")]
pub async fn replace_scim_me(
    caller: Caller<need::User>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    query: Query<ShownQuery>,
    body: ScimBody,
) -> AppResult<Answer> {
    let projection = projection(&query, &USERS)?;
    let write = Write { to: To::Me, how: How::Replace, body: body.members, conditions, projection };
    write::run(&state, &caller, retry, &body.raw, write).await
}

/// Change myself over SCIM
///
/// Everybody may change locale, timezone, preferredLanguage and nickName of themselves, admins everything.
#[utoipa::path(tag = "scim", operation_id = "update_scim_me", params(ShownQuery),
    request_body(content((ScimPatch = "application/scim+json"), (ScimPatch = "application/json"))),
    responses((status = 200, description = "The caller as they are now.", body = ScimUser, content_type = "application/scim+json", headers(("ETag" = String)))),
    security(("user" = []), ("bearer" = [])))]
#[patch("/scim/v2/Me")]
pub async fn update_scim_me(
    caller: Caller<need::User>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    query: Query<ShownQuery>,
    body: ScimBody,
) -> AppResult<Answer> {
    let projection = projection(&query, &USERS)?;
    let write = Write { to: To::Me, how: How::Patch, body: body.members, conditions, projection };
    write::run(&state, &caller, retry, &body.raw, write).await
}
