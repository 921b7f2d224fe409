//! `/v1/sessions`, and the token endpoint of Swagger UI's Authorize button.

use actix_web::{HttpMessage, HttpRequest, HttpResponse, delete, http::header, post, web};
use serde::Deserialize;
use serde_json::json;

use super::dto::{Login, Refresh, Tokens};
use super::service::{self, Origin};
use crate::auth::caller::{RequestId, need};
use crate::auth::limits;
use crate::auth::{Anyone, Caller};
use crate::error::{AppResult, Code};
use crate::http::{Answer, Body, Retry, commit};
use crate::state::State;

fn origin(state: &State, request: &HttpRequest) -> Origin {
    let agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Origin {
        agent: agent.map(|text| text.chars().take(200).collect()),
        address: limits::address(request, state.config.access.trust_forwarded),
        request_id: request.extensions().get::<RequestId>().map(|id| id.0.clone()),
    }
}

/// Log in
///
/// E-mail and password give an access token and a refresh token. After five failures each further one doubles the wait, from 2 s to
/// 15 minutes; whoever comes too early gets a 429 with `Retry-After`, whether or not the account exists and the password is right. After
/// 50 failures (`CAIRN_LOGIN_FAILURES_PER_ADDRESS`) an address waits in the same way, for all accounts. No Idempotency-Key: tokens are not stored, just log in again.
#[utoipa::path(tag = "session", operation_id = "create_session", request_body = Login,
    responses((status = 201, description = "The session's tokens.", body = Tokens), (status = 401, description = "E-mail and password do not belong together.")))]
#[post("/v1/sessions")]
pub async fn create_session(state: Anyone, request: HttpRequest, body: Body<Login>) -> AppResult<Answer> {
    let tokens = service::log_in(&state, body.input.email, body.input.password, origin(&state, &request)).await?;
    Ok(Answer::created("/v1/sessions/current", &tokens)?.header("cache-control", "no-store"))
}

/// Refresh the session
///
/// Each refresh token works once. One that comes a second time ends the session, because somebody has a copy of it.
#[utoipa::path(tag = "session", operation_id = "refresh_session", request_body = Refresh,
    responses((status = 200, description = "New tokens.", body = Tokens), (status = 401, description = "The token is used, expired or unknown.")))]
#[post("/v1/sessions/refresh")]
pub async fn refresh_session(state: Anyone, body: Body<Refresh>) -> AppResult<Answer> {
    let tokens = service::refresh(&state, body.input.refresh_token).await?;
    Ok(Answer::ok(&tokens)?.header("cache-control", "no-store"))
}

/// Log out
///
/// Ends the session of this access token at once; its refresh tokens are void too. A client that acts for somebody has no session: it
/// gives its token back at `/oauth/revoke`. A token of an outside issuer is ended there: 409.
#[utoipa::path(tag = "session", operation_id = "end_session", responses((status = 204, description = "Logged out.")),
    security(("user" = []), ("bearer" = [])))]
#[delete("/v1/sessions/current")]
pub async fn end_session(caller: Caller<need::User>, state: Anyone, retry: Retry) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), |conn, ctx| {
        service::end(conn, ctx)?;
        Ok(Answer::no_content())
    })
    .await
}

/// The form that Swagger UI's password flow sends.
#[derive(Deserialize)]
pub struct PasswordForm {
    grant_type: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

/// Lets the Authorize button of Swagger UI log in with e-mail and password. Not part of the API: programs use `/v1/sessions`.
#[utoipa::path(tag = "session", operation_id = "create_docs_token",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "grant_type=password, username, password"),
    responses((status = 200, description = "Tokens (RFC 6749 §5.1).", body = Tokens), (status = 400, description = "RFC 6749 §5.2 error.", body = Object)))]
#[post("/docs/token")]
pub async fn docs_token(state: Anyone, request: HttpRequest, form: web::Form<PasswordForm>) -> HttpResponse {
    let form = form.into_inner();
    let error =
        |name: &str, why: &str| HttpResponse::BadRequest().json(json!({"error": name, "error_description": why}));
    if form.grant_type.as_deref() != Some("password") {
        return error("unsupported_grant_type", "Only the password grant is known here.");
    }
    let (Some(email), Some(password)) = (form.username, form.password) else {
        return error("invalid_request", "username and password are needed.");
    };
    match service::log_in(&state, email, password, origin(&state, &request)).await {
        Ok(tokens) => HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(tokens),
        Err(e) if e.code() == Code::BadCredentials => error("invalid_grant", e.detail()),
        Err(e) => e.into_response(),
    }
}
