//! `POST …/.search`.

use actix_web::post;

use super::body::ScimBody;
use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::domain::scim::list::Wish;
use crate::error::AppResult;
use crate::features::scim::base;
use crate::features::scim::dto::{ScimGroupList, ScimResourceList, ScimSearch, ScimUserList};
use crate::features::scim::fault::checked;
use crate::features::scim::listing::{self, What};
use crate::http::Answer;

async fn search(caller: Caller<need::Scim>, state: Anyone, body: ScimBody, what: What) -> AppResult<Answer> {
    let wish = checked(Wish::from_body(&body.members))?;
    let (ctx, base) = (caller.0, base(&state));
    let page = state.db.read_slow(move |conn| listing::list(conn, &ctx, what, &wish, &base)).await?;
    Answer::scim(200, &page)
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
