//! `/oauth`, `/.well-known`.

use std::collections::HashSet;

use actix_web::http::StatusCode;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, get, http::header, post, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::dto::{AccessToken, Credentials, Form, Introspection, OAuthError};
use super::{exchange, service};
use crate::auth::Anyone;
use crate::auth::caller::RequestId;
use crate::auth::jose::ALGORITHMS;
use crate::domain::permission::Scope;
use crate::http::body;

/// Bytes that a form may have.
const FORM_LIMIT: usize = 64 * 1024;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn refuse(error: &OAuthError) -> HttpResponse {
    let mut response = HttpResponse::build(StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST));
    if error.status == 401 {
        response.insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"cairn\""));
    }
    response
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(json!({"error": error.error, "error_description": error.description}))
}

/// The form, unless it is longer than any that is meant.
async fn read_form(request: &HttpRequest, payload: web::Payload) -> Result<Form, OAuthError> {
    let body = body::read(request, &mut payload.into_inner(), FORM_LIMIT).await.map_err(|error| OAuthError {
        status: error.code().status(),
        ..OAuthError::new("invalid_request", error.detail())
    })?;
    let pairs = std::str::from_utf8(&body)
        .ok()
        .and_then(|text| web::Query::<Vec<(String, String)>>::from_query(text).ok())
        .ok_or_else(|| OAuthError::new("invalid_request", "The body must be a form."))?
        .into_inner();
    let mut seen = HashSet::new();
    // RFC 8693 §2.1 and RFC 8707 §2 let a request name more than one service.
    let once = |name: &str| !["audience", "resource"].contains(&name);
    if pairs.iter().any(|(name, _)| once(name) && !seen.insert(name.as_str())) {
        return Err(OAuthError::new("invalid_request", "A parameter is given twice."));
    }
    if pairs.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
        return Err(OAuthError::new("invalid_request", "Text must not contain the character U+0000."));
    }
    Ok(Form(pairs))
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

/// What the client proves itself by; one way only (RFC 6749 §2.3).
fn credentials(request: &HttpRequest, form: &Form) -> Result<Option<Credentials>, OAuthError> {
    let text = |name| form.get(name).map(str::to_owned);
    let mut found = Vec::new();
    if let Some((id, secret)) = basic(request) {
        if text("client_id").is_some_and(|other| other != id) {
            return Err(OAuthError::new("invalid_request", "The header and the form name two clients."));
        }
        found.push(Credentials::Basic(id, secret));
    } else if request.headers().contains_key(header::AUTHORIZATION) {
        return Err(OAuthError::client("The Authorization header cannot be read."));
    }
    if let Some((id, secret)) = text("client_id").zip(text("client_secret")) {
        found.push(Credentials::Post(id, secret));
    }
    match (text("client_assertion"), form.get("client_assertion_type")) {
        (Some(assertion), Some(ASSERTION_TYPE)) => found.push(Credentials::Assertion(assertion, text("client_id"))),
        (None, None) => {}
        _ => {
            let why = format!("client_assertion needs client_assertion_type={ASSERTION_TYPE}.");
            return Err(OAuthError::new("invalid_request", why));
        }
    }
    if found.len() > 1 {
        return Err(OAuthError::new("invalid_request", "Authenticate in one way only."));
    }
    Ok(found.pop())
}

fn request_id(request: &HttpRequest) -> Option<String> {
    request.extensions().get::<RequestId>().map(|id| id.0.clone())
}

fn nobody() -> HttpResponse {
    refuse(&OAuthError::client("Send id and secret, or a client assertion."))
}

/// Get a token for a machine client
///
/// OAuth 2 client credentials (RFC 6749 §4.4). The client proves itself by `client_secret_basic`, `client_secret_post` or
/// `private_key_jwt` (RFC 7523: RS256, PS256, ES256 or EdDSA, also as Ed25519, by a registered key; `iss` and `sub` the client, `aud` the issuer or one of
/// these endpoints, `exp` at most an hour away, `jti` used once; `kid` may be left out where one key alone fits). `scope` narrows the
/// token. `audience` (RFC 8693) and `resource` (RFC 8707), each as often as wanted, may name this server: the issuer, its `/v1`, for
/// `resource` any address below the issuer. Tokens for other services are not given out: `invalid_target`.
///
/// With `grant_type=urn:ietf:params:oauth:grant-type:token-exchange` (RFC 8693) the client gets a token that acts as one user, within
/// the scopes it asks for and has, and that names the client in `act`. `subject_token` tells the user:
///
/// * `subject_token_type=urn:ietf:params:oauth:token-type:access_token`: the user's own access token;
/// * `urn:ietf:params:oauth:token-type:jwt`: a JWT of a trusted outside issuer;
/// * `urn:cairn:params:oauth:token-type:user-id`: an id or `ext:<external_id>`; the client needs the scope `act_as`.
///
/// What the user does so stands in the audit log with both names. Administration is never done so.
#[utoipa::path(tag = "machine auth", operation_id = "create_token",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "grant_type, scope, audience and resource (optional); client_id and client_secret (client_secret_post), or client_assertion and client_assertion_type (private_key_jwt); subject_token and subject_token_type (token exchange)",
        example = "grant_type=client_credentials&scope=users%3Aread"),
    responses((status = 200, description = "The token.", body = AccessToken),
        (status = 400, description = "RFC 6749 §5.2: invalid_request, invalid_scope, invalid_grant, unauthorized_client, unsupported_grant_type; RFC 8707 §2: invalid_target.", body = Object),
        (status = 401, description = "RFC 6749 §5.2: invalid_client.", body = Object),
        (status = 413, description = "The form is larger than 64 KiB: invalid_request.", body = Object)))]
#[post("/oauth/token")]
pub async fn create_token(state: Anyone, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let form = match read_form(&request, payload).await {
        Ok(form) => form,
        Err(error) => return refuse(&error),
    };
    let credentials = match credentials(&request, &form) {
        Ok(Some(credentials)) => credentials,
        Ok(None) => return nobody(),
        Err(error) => return refuse(&error),
    };
    match service::token(&state, credentials, &form, request_id(&request)).await {
        Ok(Ok(token)) => HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(token),
        Ok(Err(error)) => refuse(&error),
        Err(error) => error.into_response(),
    }
}

/// Look at a token
///
/// Tells an authenticated client whether a token counts just now, and what it says (RFC 7662). Any client may ask of any token, as
/// services do that are handed one: who holds a token could use it anyway.
#[utoipa::path(tag = "machine auth", operation_id = "introspect_token",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "token; the client proves itself as at the token endpoint",
        example = "token=eyJ0eXAiOiJhdCtqd3Qi"),
    responses((status = 200, description = "What is known of it.", body = Introspection),
        (status = 400, description = "RFC 6749 §5.2: invalid_request.", body = Object),
        (status = 401, description = "RFC 6749 §5.2: invalid_client.", body = Object),
        (status = 413, description = "The form is larger than 64 KiB: invalid_request.", body = Object)))]
#[post("/oauth/introspect")]
pub async fn introspect_token(state: Anyone, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let form = match read_form(&request, payload).await {
        Ok(form) => form,
        Err(error) => return refuse(&error),
    };
    let credentials = match credentials(&request, &form) {
        Ok(Some(credentials)) => credentials,
        Ok(None) => return nobody(),
        Err(error) => return refuse(&error),
    };
    let Some(token) = form.get("token") else {
        return refuse(&OAuthError::new("invalid_request", "token is needed."));
    };
    match service::introspect(&state, credentials, token).await {
        Ok(Ok(known)) => HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(known),
        Ok(Err(error)) => refuse(&error),
        Err(error) => error.into_response(),
    }
}

/// Revoke a token
///
/// RFC 7009. An access token of a client ends alone; a person's access or refresh token ends its whole session, and needs no client.
/// A token that is unknown is answered with 200 too.
#[utoipa::path(tag = "machine auth", operation_id = "revoke_token",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "token; for tokens of clients the client proves itself as at the token endpoint",
        example = "token=eyJ0eXAiOiJhdCtqd3Qi"),
    responses((status = 200, description = "It does not count any more."),
        (status = 400, description = "RFC 6749 §5.2: invalid_request, unauthorized_client.", body = Object),
        (status = 401, description = "RFC 6749 §5.2: invalid_client.", body = Object),
        (status = 413, description = "The form is larger than 64 KiB: invalid_request.", body = Object)))]
#[post("/oauth/revoke")]
pub async fn revoke_token(state: Anyone, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let form = match read_form(&request, payload).await {
        Ok(form) => form,
        Err(error) => return refuse(&error),
    };
    let credentials = match credentials(&request, &form) {
        Ok(credentials) => credentials,
        Err(error) => return refuse(&error),
    };
    let Some(token) = form.get("token") else {
        return refuse(&OAuthError::new("invalid_request", "token is needed."));
    };
    match service::revoke(&state, credentials, token, request_id(&request)).await {
        Ok(Ok(())) => HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).finish(),
        Ok(Err(error)) => refuse(&error),
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
    let methods = json!(["client_secret_basic", "client_secret_post", "private_key_jwt"]);
    let algorithms = json!(ALGORITHMS.map(|(name, _)| name));
    HttpResponse::Ok().json(json!({
        "issuer": base,
        "token_endpoint": format!("{base}/oauth/token"),
        "introspection_endpoint": format!("{base}/oauth/introspect"),
        "revocation_endpoint": format!("{base}/oauth/revoke"),
        "jwks_uri": format!("{base}/.well-known/jwks.json"),
        "grant_types_supported": ["client_credentials", exchange::GRANT_TYPE],
        // RFC 8414 demands this member and forbids empty lists; there is no authorization endpoint, so nothing else is true.
        "response_types_supported": ["none"],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "scopes_supported": scopes,
        "service_documentation": format!("{base}/docs/"),
    }))
}
