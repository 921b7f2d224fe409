//! `POST …/.search`.

use actix_web::{get, post};

use super::body::ScimBody;
use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::domain::scim::list::Wish;
use crate::error::AppResult;
use crate::features::scim::base;
use crate::features::scim::dto::{ListQuery, ScimGroupList, ScimResourceList, ScimSearch, ScimUserList};
use crate::features::scim::fault::checked;
use crate::features::scim::listing::{self, What};
use crate::http::{Answer, Query};

async fn search(caller: Caller<need::Scim>, state: Anyone, body: ScimBody, what: What) -> AppResult<Answer> {
    let wish = checked(Wish::from_body(&body.members))?;
    let (ctx, base) = (caller.0, base(&state));
    let page = state.db.read_slow(move |conn| listing::list(conn, &ctx, what, &wish, &base)).await?;
    Answer::scim(200, &page)
}

/// List users and groups over SCIM
///
/// A query of the root (RFC 7644 §3.4.2.1): first users, then groups, unless sorted. An attribute that one kind does not have is empty there. Scope: `scim`. Role: admin.
#[utoipa::path(tag = "scim", operation_id = "list_scim_resources", params(ListQuery),
    responses((status = 200, description = "A page of users and groups.", body = ScimResourceList, content_type = "application/scim+json")),
    security(("user" = []), ("client" = ["scim"]), ("bearer" = [])))]
#[get("/scim/v2/")]
pub async fn list_scim_resources(
    caller: Caller<need::Scim>,
    state: Anyone,
    query: Query<ListQuery>,
) -> AppResult<Answer> {
    let (ctx, base) = (caller.0, base(&state));
    let list = move |conn: &mut _| listing::list(conn, &ctx, What::Everything, &query.0.into(), &base);
    Answer::scim(200, &state.db.read_slow(list).await?)
}

/// Search users and groups over SCIM
///
/// What the query of a list says, as a body: filters stay out of logs, and may be long. An attribute that one kind does not have is empty there. Scope: `scim`. Role: admin.
#[utoipa::path(tag = "scim", operation_id = "search_scim_resources",
    request_body(content((ScimSearch = "application/scim+json"), (ScimSearch = "application/json"))),
    responses((status = 200, description = "A page of users and groups.", body = ScimResourceList, content_type = "application/scim+json")),
    security(("user" = []), ("client" = ["scim"]), ("bearer" = [])))]
#[post("/scim/v2/.search")]
pub async fn search_scim_resources(caller: Caller<need::Scim>, state: Anyone, body: ScimBody) -> AppResult<Answer> {
    search(caller, state, body, What::Everything).await
}

/// Search users over SCIM
///
/// What the query of a list says, as a body: filters stay out of logs, and may be long. Scope: `scim`. Role: admin.
#[utoipa::path(tag = "scim", operation_id = "search_scim_users",
    request_body(content((ScimSearch = "application/scim+json"), (ScimSearch = "application/json"))),
    responses((status = 200, description = "A page of users.", body = ScimUserList, content_type = "application/scim+json")),
    security(("user" = []), ("client" = ["scim"]), ("bearer" = [])))]
#[post("/scim/v2/Users/.search")]
pub async fn search_scim_users(caller: Caller<need::Scim>, state: Anyone, body: ScimBody) -> AppResult<Answer> {
    search(caller, state, body, What::Users).await
}

/// Search groups over SCIM
///
/// What the query of a list says, as a body: filters stay out of logs, and may be long. Scope: `scim`. Role: admin.
#[utoipa::path(tag = "scim", operation_id = "search_scim_groups",
    request_body(content((ScimSearch = "application/scim+json"), (ScimSearch = "application/json"))),
    responses((status = 200, description = "A page of groups.", body = ScimGroupList, content_type = "application/scim+json")),
    security(("user" = []), ("client" = ["scim"]), ("bearer" = [])))]
#[post("/scim/v2/Groups/.search")]
pub async fn search_scim_groups(caller: Caller<need::Scim>, state: Anyone, body: ScimBody) -> AppResult<Answer> {
    search(caller, state, body, What::Groups).await
}
