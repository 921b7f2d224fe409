//! `/v1/clients`, `/oauth/token`, `/.well-known`.

use actix_web::{HttpRequest, HttpResponse, delete, get, http::header, patch, post, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::dto::{AccessToken, AuthMethod, ClientIn, ClientOut, ClientPatch, ClientQuery};
use super::service::{self, Credentials, OAuthError};
use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::domain::permission::Scope;
use crate::error::AppResult;
use crate::http::answer::Page;
use crate::http::{Answer, Body, Conditions, Query, Retry, commit, query};

/// Create a machine client
///
/// The answer shows the secret, once. Role: admin.
#[utoipa::path(tag = "machine auth", operation_id = "create_client", request_body = ClientIn,
    responses((status = 201, description = "The client with its secret.", body = ClientOut, headers(("Location" = String), ("ETag" = String)))),
    security(("user" = []), ("bearer" = [])))]
#[post("/v1/clients")]
pub async fn create_client(
    caller: Caller<need::User>,
    state: Anyone,
    retry: Retry,
    body: Body<ClientIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let client = service::create(conn, ctx, body.input)?;
        Ok(Answer::created(&format!("/v1/clients/{}", client.client_id), &client)?.etag(client.version))
    })
    .await
}

/// List machine clients
///
/// Role: admin.
#[utoipa::path(tag = "machine auth", operation_id = "list_clients", params(ClientQuery),
    responses((status = 200, description = "A page of clients.", body = Page<ClientOut>)), security(("user" = []), ("bearer" = [])))]
#[get("/v1/clients")]
pub async fn list_clients(
    caller: Caller<need::User>,
    state: Anyone,
    request: HttpRequest,
    filter: Query<ClientQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| service::list(conn, &ctx, &page)).await?;
    Answer::page(rows, &request)
}

/// Read a machine client
///
/// Role: admin.
#[utoipa::path(tag = "machine auth", operation_id = "get_client", params(("client_id" = Uuid, Path)),
    responses((status = 200, description = "The client.", body = ClientOut, headers(("ETag" = String)))), security(("user" = []), ("bearer" = [])))]
#[get("/v1/clients/{client_id}")]
pub async fn get_client(
    caller: Caller<need::User>,
    state: Anyone,
    conditions: Conditions,
    id: web::Path<Uuid>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let client = state.db.read(move |conn| service::get(conn, &ctx, *id)).await?;
    Ok(Answer::ok(&client)?.etag(client.version).unless_known(&conditions))
}

/// Change a machine client
///
/// A merge patch. Fewer scopes and `disabled` are in force at once, also for tokens given out. Role: admin.
#[utoipa::path(tag = "machine auth", operation_id = "update_client", params(("client_id" = Uuid, Path)),
    request_body(content((ClientPatch = "application/merge-patch+json"), (ClientPatch = "application/json"))),
    responses((status = 200, description = "The changed client.", body = ClientOut, headers(("ETag" = String)))),
    security(("user" = []), ("bearer" = [])))]
#[patch("/v1/clients/{client_id}")]
pub async fn update_client(
    caller: Caller<need::User>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    id: web::Path<Uuid>,
    body: Body<ClientPatch>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let client = service::update(conn, ctx, *id, body.input, &conditions)?;
        Ok(Answer::ok(&client)?.etag(client.version))
    })
    .await
}

/// Delete a machine client
///
/// Its tokens are void at once. Role: admin.
#[utoipa::path(tag = "machine auth", operation_id = "delete_client", params(("client_id" = Uuid, Path)),
    responses((status = 204, description = "Gone.")), security(("user" = []), ("bearer" = [])))]
#[delete("/v1/clients/{client_id}")]
pub async fn delete_client(
    caller: Caller<need::User>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    id: web::Path<Uuid>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        service::delete(conn, ctx, *id, &conditions)?;
        Ok(Answer::no_content())
    })
    .await
}

fn oauth_error(error: &OAuthError) -> HttpResponse {
    let mut response = if error.unauthorized { HttpResponse::Unauthorized() } else { HttpResponse::BadRequest() };
    if error.unauthorized {
        response.insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"cairn\""));
    }
    response
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(json!({"error": error.error, "error_description": error.description}))
}

fn bad_request(error: &'static str, description: &str) -> HttpResponse {
    oauth_error(&OAuthError { error, description: description.into(), unauthorized: false })
}

/// Id and secret from the Authorization header; each is form-encoded inside (RFC 6749 §2.3.1).
fn basic(request: &HttpRequest) -> Option<(String, String)> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |part: &str| {
        web::Query::<Vec<(String, String)>>::from_query(&format!("x={part}"))
            .ok()
            .and_then(|q| q.into_inner().pop())
            .map(|(_, v)| v)
    };
    Some((decode(id)?, decode(secret)?))
}

/// Get a token for a machine client
///
/// OAuth 2 client credentials (RFC 6749 §4.4) by `client_secret_basic` or `client_secret_post`. `scope` narrows the token.
#[utoipa::path(tag = "machine auth", operation_id = "create_token",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "grant_type=client_credentials, scope (optional), client_id and client_secret (client_secret_post)"),
    responses((status = 200, description = "The token.", body = AccessToken),
        (status = 400, description = "RFC 6749 §5.2: invalid_request, invalid_scope, unsupported_grant_type.", body = Object),
        (status = 401, description = "RFC 6749 §5.2: invalid_client.", body = Object)))]
#[post("/oauth/token")]
pub async fn create_token(state: Anyone, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let Some(form) =
        std::str::from_utf8(&body).ok().and_then(|text| web::Query::<Vec<(String, String)>>::from_query(text).ok())
    else {
        return bad_request("invalid_request", "The body must be a form.");
    };
    let mut seen = std::collections::HashSet::new();
    if form.iter().any(|(name, _)| !seen.insert(name.as_str())) {
        return bad_request("invalid_request", "A parameter is given twice.");
    }
    let field = |name: &str| form.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    match field("grant_type").as_deref() {
        Some("client_credentials") => {}
        Some(_) => return bad_request("unsupported_grant_type", "Only client_credentials is known."),
        None => return bad_request("invalid_request", "grant_type is needed."),
    }
    let in_header = basic(&request);
    let in_form = field("client_id").zip(field("client_secret"));
    let credentials = match (in_header, in_form) {
        (Some(_), Some(_)) => return bad_request("invalid_request", "Authenticate in one way only."),
        (Some((id, secret)), None) => Credentials { id, secret, method: AuthMethod::ClientSecretBasic },
        (None, Some((id, secret))) => Credentials { id, secret, method: AuthMethod::ClientSecretPost },
        (None, None) => {
            let description = "Send id and secret.".to_owned();
            return oauth_error(&OAuthError { error: "invalid_client", description, unauthorized: true });
        }
    };
    match service::token(&state, credentials, field("scope")).await {
        Ok(Ok(token)) => HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(token),
        Ok(Err(error)) => oauth_error(&error),
        Err(error) => error.into_response(),
    }
}

/// Read the public signing keys
///
/// A JWK set (RFC 7517); tokens name their key by `kid`.
#[utoipa::path(tag = "machine auth", operation_id = "get_jwks", responses((status = 200, description = "The keys.", body = Object)))]
#[get("/.well-known/jwks.json")]
pub async fn get_jwks(state: Anyone) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "public, max-age=300")).json(&state.tokens.keys.get().jwks)
}

/// Read the authorization server's metadata
///
/// Where tokens come from and how clients authenticate, for OAuth libraries that look it up by themselves (RFC 8414).
#[utoipa::path(tag = "machine auth", operation_id = "get_authorization_server", responses((status = 200, description = "The metadata.", body = Object)))]
#[get("/.well-known/oauth-authorization-server")]
pub async fn get_authorization_server(state: Anyone) -> HttpResponse {
    let base = &state.public_url;
    let scopes: Vec<Value> = Scope::ALL.iter().map(|(_, name, _)| Value::from(*name)).collect();
    HttpResponse::Ok().json(json!({
        "issuer": base,
        "token_endpoint": format!("{base}/oauth/token"),
        "jwks_uri": format!("{base}/.well-known/jwks.json"),
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": scopes,
        "service_documentation": format!("{base}/docs/"),
    }))
}
