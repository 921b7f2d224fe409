//! `/v1/groups/{group_id}/members`, `/v1/users/{user_id}/groups`.

use actix_web::{HttpRequest, delete, get, put, web};

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::features::groups::dto::{MemberOut, MemberQuery, PageQuery, UserGroupOut};
use crate::features::groups::members as service;
use crate::http::answer::Page;
use crate::http::{Answer, Query, Ref, Retry, commit, query};

/// Put a user into a group
///
/// Repeating it changes nothing. The courses assigned to the group, or to a unit above it, follow in the same transaction. Those who administer a unit may put in its people only. Scope: `groups:write`. Role: admin, also of the unit.
#[utoipa::path(tag = "people", operation_id = "add_group_member",
    params(("group_id" = String, Path, description = "Id or `ext:<external_id>`."), ("user_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    responses((status = 204, description = "The user is in the group.")),
    security(("user" = []), ("client" = ["groups:write"]), ("bearer" = [])))]
#[put("/v1/groups/{group_id}/members/{user_id}")]
pub async fn add_group_member(
    caller: Caller<need::GroupsWrite>,
    state: Anyone,
    retry: Retry,
    path: web::Path<(Ref, Ref)>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        service::add(conn, ctx, &path.0, &path.1)?;
        Ok(Answer::no_content())
    })
    .await
}

/// Take a user out of a group
///
/// Courses assigned with `withdraw_on_leave` are left, unless another group of the user has them too. Scope: `groups:write`. Role: admin, also of the unit.
#[utoipa::path(tag = "people", operation_id = "remove_group_member",
    params(("group_id" = String, Path, description = "Id or `ext:<external_id>`."), ("user_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    responses((status = 204, description = "The user is not in the group any more.")),
    security(("user" = []), ("client" = ["groups:write"]), ("bearer" = [])))]
#[delete("/v1/groups/{group_id}/members/{user_id}")]
pub async fn remove_group_member(
    caller: Caller<need::GroupsWrite>,
    state: Anyone,
    retry: Retry,
    path: web::Path<(Ref, Ref)>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        service::remove(conn, ctx, &path.0, &path.1)?;
        Ok(Answer::no_content())
    })
    .await
}

/// List a group's members
///
/// Its own, or with `depth=all` also those of everything below it. Scope: `groups:read`. Role: admin, also of the unit, or instructor.
#[utoipa::path(tag = "people", operation_id = "list_group_members", params(("group_id" = String, Path, description = "Id or `ext:<external_id>`."), MemberQuery),
    responses((status = 200, description = "A page of members, in order of the users' making.", body = Page<MemberOut>)),
    security(("user" = []), ("client" = ["groups:read"]), ("bearer" = [])))]
#[get("/v1/groups/{group_id}/members")]
pub async fn list_group_members(
    caller: Caller<need::GroupsRead>,
    state: Anyone,
    request: HttpRequest,
    group_id: web::Path<Ref>,
    filter: Query<MemberQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let depth = filter.0.depth.unwrap_or_default();
    let ctx = caller.0;
    let rows = state.db.read(move |conn| service::list(conn, &ctx, &group_id, depth, &page)).await?;
    Answer::page(rows, &request)
}

/// List a user's groups
///
/// Those that the user is in directly. For the user, and for those who may see both the user and groups: who is a manager by `manager_id` alone sees no groups. Scope: `users:read`.
#[utoipa::path(tag = "people", operation_id = "list_user_groups", params(("user_id" = String, Path, description = "Id or `ext:<external_id>`."), PageQuery),
    responses((status = 200, description = "A page of groups, in order of making.", body = Page<UserGroupOut>)),
    security(("user" = []), ("client" = ["users:read"]), ("bearer" = [])))]
#[get("/v1/users/{user_id}/groups")]
pub async fn list_user_groups(
    caller: Caller<need::UsersRead>,
    state: Anyone,
    request: HttpRequest,
    user_id: web::Path<Ref>,
    filter: Query<PageQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| service::list_of_user(conn, &ctx, &user_id, &page)).await?;
    Answer::page(rows, &request)
}
