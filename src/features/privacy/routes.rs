//! `/v1/users/{user_id}/export`, `/v1/users/{user_id}/erase`.

use actix_web::{get, post, web};

use super::dto::{EraseIn, Erased, PersonalData};
use super::service;
use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::http::{Answer, Body, Ref, Retry, commit};

/// Export what is held on a person
///
/// Everything that names the person, as one document: profile, roles, sessions, learning, attempts, certificates, the log. Passwords and
/// secrets are left out. The person themself, not a client in their name, or role: admin.
#[utoipa::path(tag = "people", operation_id = "export_user", params(("user_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    responses((status = 200, description = "The person's data.", body = PersonalData)), security(("user" = []), ("bearer" = [])))]
#[get("/v1/users/{user_id}/export")]
pub async fn export_user(caller: Caller<need::User>, state: Anyone, user_id: web::Path<Ref>) -> AppResult<Answer> {
    let ctx = caller.0;
    let told = ctx.clone();
    let data = state.db.read_slow(move |conn| service::export(conn, &ctx, &user_id)).await?;
    let user = data.user_id;
    state.db.write(move |conn| service::log_export(conn, &told, user)).await?;
    Ok(Answer::ok(&data)?.header("cache-control", "no-store"))
}

/// Erase a person's data
///
/// What identifies the person goes for good: name, e-mail, ids, attributes, roles, sessions, answers, the holder on certificates,
/// details in the log, rows of sync plans. Nothing brings the person back: the user cannot be changed any more, and no sync, SCIM or bulk finds them. What was learnt when stays, nameless, for statistics; the state becomes `left`. `confirm` repeats the user's id.
/// A second call changes nothing. Role: admin.
#[utoipa::path(tag = "people", operation_id = "erase_user", params(("user_id" = String, Path, description = "Id or `ext:<external_id>`.")),
    request_body = EraseIn, responses((status = 200, description = "It is gone.", body = Erased)), security(("user" = []), ("bearer" = [])))]
#[post("/v1/users/{user_id}/erase")]
pub async fn erase_user(
    caller: Caller<need::User>,
    state: Anyone,
    retry: Retry,
    user_id: web::Path<Ref>,
    body: Body<EraseIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        Answer::ok(&service::erase(conn, ctx, &user_id, body.input.confirm)?)
    })
    .await
}
