//! `/v1/users`, `/v1/me`.

use actix_web::{HttpRequest, get, patch, post, web};

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller, limits};
use crate::error::{AppError, AppResult, Code};
use crate::features::sessions::proving::{self, Claim};
use crate::features::users::dto::{MePatch, UserIn, UserOut, UserPatch, UserQuery};
use crate::features::users::service;
use crate::http::answer::Page;
use crate::http::{Answer, Body, Conditions, Patch, Query, Ref, Retry, commit, query};

/// Create a user
///
/// For admins, and HR systems with `users:write`. Scope: `users:write`. Role: admin.
#[utoipa::path(tag = "people", operation_id = "create_user", request_body = UserIn,
    responses((status = 201, description = "The new user.", body = UserOut, headers(("Location" = String), ("ETag" = String)))),
    security(("user" = []), ("client" = ["users:write"]), ("bearer" = [])))]
#[post("/v1/users")]
pub async fn create_user(
    caller: Caller<need::UsersWrite>,
    state: Anyone,
    retry: Retry,
    body: Body<UserIn>,
) -> AppResult<Answer> {
    let hash = match body.input.password.clone() {
        Some(password) => Some(state.passwords.hash(password).await?),
        None => None,
    };
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let user = service::create(conn, ctx, body.input, hash)?;
        Ok(Answer::created(&format!("/v1/users/{}", user.id), &user)?.header("etag", &user.tag()))
    })
    .await
}

/// List users
///
/// Admins and clients see everybody, managers everybody below them. Scope: `users:read`. Role: admin or manager.
#[utoipa::path(tag = "people", operation_id = "list_users", params(UserQuery),
    responses((status = 200, description = "A page of users, in order of making.", body = Page<UserOut>)),
    security(("user" = []), ("client" = ["users:read"]), ("bearer" = [])))]
#[get("/v1/users")]
pub async fn list_users(
    caller: Caller<need::UsersRead>,
    state: Anyone,
    request: HttpRequest,
    filter: Query<UserQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| service::list(conn, &ctx, filter.0, &page)).await?;
    Answer::page(rows, &request)
}

/// Read a user
///
/// By id or `ext:<external_id>`. Users see themselves, managers those below them. Scope: `users:read`.
#[utoipa::path(tag = "people", operation_id = "get_user", params(("user_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    responses((status = 200, description = "The user.", body = UserOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["users:read"]), ("bearer" = [])))]
#[get("/v1/users/{user_id}")]
pub async fn get_user(
    caller: Caller<need::UsersRead>,
    state: Anyone,
    conditions: Conditions,
    user_id: web::Path<Ref>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let user = state.db.read(move |conn| service::get(conn, &ctx, &user_id)).await?;
    Ok(Answer::ok(&user)?.header("etag", &user.tag()).unless_known(&conditions))
}

/// Change a user
///
/// A merge patch (RFC 7396). Suspending, or a new password, ends the user's sessions at once. Nobody takes their own admin role. Those who administer a unit change nobody who reaches beyond it: by a role, as a member of another unit, or as the manager, directly or through others, of somebody outside. Scope: `users:write`. Role: admin, also of a unit that the user belongs to.
#[utoipa::path(tag = "people", operation_id = "update_user", params(("user_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    request_body(content((UserPatch = "application/merge-patch+json"), (UserPatch = "application/json"))),
    responses((status = 200, description = "The changed user.", body = UserOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["users:write"]), ("bearer" = [])))]
#[patch("/v1/users/{user_id}")]
pub async fn update_user(
    caller: Caller<need::UsersWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    user_id: web::Path<Ref>,
    body: Body<UserPatch>,
) -> AppResult<Answer> {
    let hash = match body.input.password.clone() {
        Patch::Value(password) => Patch::Value(state.passwords.hash(password).await?),
        Patch::Null => Patch::Null,
        Patch::Absent => Patch::Absent,
    };
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let user = service::update(conn, ctx, &user_id, body.input, hash, &conditions)?;
        Ok(Answer::ok(&user)?.header("etag", &user.tag()))
    })
    .await
}

/// Let a user log in again
///
/// Forgets the failed log-ins that make the account wait; an address that waits goes on waiting. Scope: `users:write`. Role: admin.
#[utoipa::path(tag = "people", operation_id = "unlock_user", params(("user_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    responses((status = 204, description = "The next log-in need not wait.")),
    security(("user" = []), ("client" = ["users:write"]), ("bearer" = [])))]
#[post("/v1/users/{user_id}/unlock")]
pub async fn unlock_user(
    caller: Caller<need::UsersWrite>,
    state: Anyone,
    retry: Retry,
    user_id: web::Path<Ref>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        service::unlock(conn, ctx, &user_id)?;
        Ok(Answer::no_content())
    })
    .await
}

/// Read who I am
///
/// The logged-in user.
#[utoipa::path(tag = "people", operation_id = "get_me",
    responses((status = 200, description = "The caller.", body = UserOut, headers(("ETag" = String)))),
    security(("user" = []), ("bearer" = [])))]
#[get("/v1/me")]
pub async fn get_me(caller: Caller<need::User>, state: Anyone, conditions: Conditions) -> AppResult<Answer> {
    let ctx = caller.0;
    let user = state.db.read(move |conn| service::me(conn, &ctx)).await?;
    Ok(Answer::ok(&user)?.header("etag", &user.tag()).unless_known(&conditions))
}

/// Change my profile
///
/// A merge patch of language, time zone and password. A new password ends all other sessions; it needs the present one, and wrong
/// ones count as failed log-ins do: soon there is a 429 with `Retry-After`. Only for the person themself, not for clients in their name.
#[utoipa::path(tag = "people", operation_id = "update_me",
    request_body(content((MePatch = "application/merge-patch+json"), (MePatch = "application/json"))),
    responses((status = 200, description = "The caller.", body = UserOut, headers(("ETag" = String)))),
    security(("user" = []), ("bearer" = [])))]
#[patch("/v1/me")]
pub async fn update_me(
    caller: Caller<need::User>,
    state: Anyone,
    request: HttpRequest,
    retry: Retry,
    conditions: Conditions,
    body: Body<MePatch>,
) -> AppResult<Answer> {
    let mut hash = None;
    if let Patch::Value(new) = body.input.password.clone() {
        let wrong = || AppError::new(Code::Forbidden, "The current password is not right.");
        let ctx = caller.0.clone();
        let email = state.db.read(move |conn| service::own_email(conn, &ctx)).await?;
        let claim = Claim {
            email,
            password: body.input.current_password.clone().ok_or_else(wrong)?,
            address: limits::address(&request, state.config.access.trust_forwarded),
            failed: "user.password_refused",
        };
        match proving::prove(&state, claim, &caller).await? {
            Some(proven) => proven.forget(&state).await?,
            None => return Err(wrong()),
        }
        hash = Some(state.passwords.hash(new).await?);
    }
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let user = service::update_me(conn, ctx, body.input, hash, &conditions)?;
        Ok(Answer::ok(&user)?.header("etag", &user.tag()))
    })
    .await
}
