//! `/v1/users/bulk`.

use std::collections::HashMap;

use actix_web::post;

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::features::users::bulk as service;
use crate::features::users::dto::UserBulkIn;
use crate::http::bulk::{BulkOut, BulkQuery};
use crate::http::{Answer, Body, Query, Retry, commit};

/// Write many users
///
/// Up to 1,000 users, each with a verdict of its own; what is wrong with one does not keep the others out. With mode `upsert` a user who exists already is changed: fields that are left out stay, attributes are merged; whoever is meant is found by external id, else employee number, else e-mail. An e-mail or employee number that one item gives up may be taken by another, also of a new user; when the first is refused, so is the second. With `?dry_run=true` nothing is written. Scope: `users:write`. Role: admin, also of a unit.
#[utoipa::path(tag = "people", operation_id = "write_users_in_bulk", params(BulkQuery), request_body = UserBulkIn,
    responses((status = 200, description = "The verdicts, in the order of the items.", body = BulkOut)),
    security(("user" = []), ("client" = ["users:write"]), ("bearer" = [])))]
#[post("/v1/users/bulk")]
pub async fn write_users_in_bulk(
    caller: Caller<need::UsersWrite>,
    state: Anyone,
    retry: Retry,
    options: Query<BulkQuery>,
    body: Body<UserBulkIn>,
) -> AppResult<Answer> {
    let dry_run = options.0.dry_run.unwrap_or(false);
    let mut hashes = HashMap::new();
    if !dry_run {
        for (index, user) in body.input.users.iter().enumerate() {
            if let Some(password) = user.get("password").and_then(serde_json::Value::as_str) {
                hashes.insert(index, state.passwords.hash(password.to_owned()).await?);
            }
        }
    }
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        Answer::ok(&service::write(conn, ctx, body.input, hashes, dry_run)?)
    })
    .await
}
