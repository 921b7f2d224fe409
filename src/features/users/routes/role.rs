//! `/v1/users/{user_id}/roles`.

use actix_web::{HttpRequest, delete, get, post, web};
use uuid::Uuid;

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::features::users::dto::{RoleIn, RoleOut, RolePage};
use crate::features::users::roles as service;
use crate::http::answer::Page;
use crate::http::{Answer, Body, Query, Ref, Retry, commit, query};

/// List a user's roles
///
/// For the site, for units, for courses. Scope: `users:read`. For the user, the managers above, admins, and those with a role for a unit that the user belongs to who may see its people.
#[utoipa::path(tag = "people", operation_id = "list_user_roles", params(("user_id" = String, Path, description = "Id or `ext:<external_id>`."), RolePage),
    responses((status = 200, description = "A page of roles, in order of granting.", body = Page<RoleOut>)),
    security(("user" = []), ("client" = ["users:read"]), ("bearer" = [])))]
#[get("/v1/users/{user_id}/roles")]
pub async fn list_user_roles(
    caller: Caller<need::UsersRead>,
    state: Anyone,
    request: HttpRequest,
    user_id: web::Path<Ref>,
    filter: Query<RolePage>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| service::list(conn, &ctx, &user_id, &page)).await?;
    Answer::page(rows, &request)
}

/// Grant a role
///
/// For the whole site, over the people of one unit with all below it (delegated administration), or in one course. Those who administer a unit may grant roles for it and for units below. Clients grant no admin. Scope: `users:write`. Role: admin.
#[utoipa::path(tag = "people", operation_id = "grant_role", params(("user_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    request_body = RoleIn,
    responses((status = 201, description = "The role held.", body = RoleOut, headers(("Location" = String)))),
    security(("user" = []), ("client" = ["users:write"]), ("bearer" = [])))]
#[post("/v1/users/{user_id}/roles")]
pub async fn grant_role(
    caller: Caller<need::UsersWrite>,
    state: Anyone,
    retry: Retry,
    user_id: web::Path<Ref>,
    body: Body<RoleIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let (user, role) = service::grant(conn, ctx, &user_id, &body.input)?;
        Answer::created(&format!("/v1/users/{user}/roles/{}", role.id), &role)
    })
    .await
}

/// Take a role away
///
/// Nobody takes their own admin role. Scope: `users:write`. Role: admin, also of the unit that the role is held for.
#[utoipa::path(tag = "people", operation_id = "revoke_role",
    params(("user_id" = String, Path, description = "Id or `ext:<external_id>`."), ("role_id" = Uuid, Path, description = "Id of the grant, from the list.")),
    responses((status = 204, description = "Not held any more.")),
    security(("user" = []), ("client" = ["users:write"]), ("bearer" = [])))]
#[delete("/v1/users/{user_id}/roles/{role_id}")]
pub async fn revoke_role(
    caller: Caller<need::UsersWrite>,
    state: Anyone,
    retry: Retry,
    path: web::Path<(Ref, Uuid)>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        service::revoke(conn, ctx, &path.0, path.1)?;
        Ok(Answer::no_content())
    })
    .await
}
