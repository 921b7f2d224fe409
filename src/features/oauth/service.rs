//! Use cases about tokens: issue, look at, revoke.

use chrono::{DateTime, TimeDelta};
use serde_json::json;
use uuid::Uuid;

use super::authenticate::{Client, authenticate, hash};
use super::dto::{AccessToken, Credentials, Form, Introspection, OAuthError, OAuthResult};
use super::{exchange, store};
use crate::auth::caller;
use crate::auth::tokens::{Claims, Grant};
use crate::domain::bounds::later;
use crate::domain::permission::{Actor, Scope};
use crate::error::{AppResult, Code};
use crate::events::{self, NewEvent};
use crate::state::{Ctx, State};

/// The scopes that are asked for, if the client may have them all.
pub fn narrow(client: &Client, asked: Option<&str>) -> Result<Vec<Scope>, OAuthError> {
    let Some(asked) = asked.map(str::trim).filter(|s| !s.is_empty()) else { return Ok(client.scopes.clone()) };
    let mut granted = Vec::new();
    for name in asked.split(' ').filter(|s| !s.is_empty()) {
        match name.parse::<Scope>() {
            Ok(scope) if client.scopes.contains(&scope) => {
                if !granted.contains(&scope) {
                    granted.push(scope);
                }
            }
            _ => return Err(OAuthError::new("invalid_scope", format!("The client may not have the scope {name}."))),
        }
    }
    Ok(granted)
}

/// Scopes as they stand in tokens.
pub fn join(scopes: &[Scope]) -> String {
    scopes.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(" ")
}

/// A service that the token is asked for and that is not this one (RFC 8707 §2, RFC 8693 §2.2.2).
fn foreign_target<'a>(state: &State, form: &'a Form) -> Option<&'a str> {
    let base = state.public_url.as_str();
    let here = |uri: &str| uri.trim_end_matches('/') == base;
    let api = |uri: &str| uri == state.tokens.audience();
    let mut audiences = form.all("audience").filter(|uri| !here(uri) && !api(uri));
    let below = |uri: &str| {
        let rest = uri.strip_prefix(base).and_then(|rest| rest.strip_prefix('/'));
        rest.is_some_and(|rest| !rest.contains('#') && !rest.split('/').any(|part| part == ".."))
    };
    let mut resources = form.all("resource").filter(|uri| !here(uri) && !below(uri));
    audiences.next().or_else(|| resources.next())
}

/// A context in which a client acts at the token endpoint.
pub fn acting(state: &State, client: &Client, request_id: Option<String>) -> Ctx {
    let actor = Actor::Client { id: client.id, scopes: client.scopes.clone() };
    Ctx { actor, request_id, ..state.system() }
}

/// Answers a token request.
///
/// # Errors
/// An RFC 6749 error inside.
pub async fn token(
    state: &State,
    credentials: Credentials,
    form: &Form,
    request_id: Option<String>,
) -> OAuthResult<AccessToken> {
    let exchanging = match form.get("grant_type") {
        Some("client_credentials") => false,
        Some(exchange::GRANT_TYPE) => true,
        Some(_) => {
            let known = format!("Known are client_credentials and {}.", exchange::GRANT_TYPE);
            return Ok(Err(OAuthError::new("unsupported_grant_type", known)));
        }
        None => return Ok(Err(OAuthError::new("invalid_request", "grant_type is needed."))),
    };
    let client = match authenticate(state, credentials).await? {
        Ok(client) => client,
        Err(error) => return Ok(Err(error)),
    };
    if let Some(foreign) = foreign_target(state, form) {
        return Ok(Err(OAuthError::new(
            "invalid_target",
            format!("{foreign} is not this server; it gives out no tokens for others."),
        )));
    }
    let ctx = acting(state, &client, request_id);
    if exchanging {
        return exchange::exchange(state, &client, form, ctx).await;
    }
    let scope = match narrow(&client, form.get("scope")) {
        Ok(scopes) => join(&scopes),
        Err(error) => return Ok(Err(error)),
    };
    let grant = Grant { sub: client.id, client: Some(client.id), sid: None, scope: Some(scope.clone()), act: None };
    let (access_token, jti) = state.tokens.issue(grant, ctx.now, state.access_lifetime())?;
    let told = NewEvent::new("client.token_issued", "client", client.id).data(json!({"scope": scope, "jti": jti}));
    state
        .db
        .write(move |conn| {
            store::touch(conn, client.id, ctx.now)?;
            events::append(conn, &ctx, vec![told])
        })
        .await?;
    let expires_in = state.config.access_token_seconds.into();
    Ok(Ok(AccessToken { access_token, token_type: "Bearer", expires_in, scope, issued_token_type: None }))
}

/// Tells an authenticated client what a token is worth. Any client may ask of any token: services that are handed tokens ask so,
/// and who holds one learns nothing by it that the token itself would not open.
///
/// # Errors
/// `invalid_client` inside.
pub async fn introspect(state: &State, credentials: Credentials, token: &str) -> OAuthResult<Introspection> {
    if let Err(error) = authenticate(state, credentials).await? {
        return Ok(Err(error));
    }
    if token.contains('.') {
        return match caller::authenticate(state, token, None).await {
            Err(error) if error.code() == Code::Unauthenticated => Ok(Ok(Introspection::default())),
            Err(error) => Err(error),
            // A token of an outside issuer counts, but its claims are not ours to tell.
            Ok(ctx) => match state.tokens.verify(token, ctx.now, &state.db).await {
                Err(_) => Ok(Ok(Introspection { active: true, sub: ctx.actor.id(), ..Introspection::default() })),
                Ok(claims) => Ok(Ok(describe(std::sync::Arc::unwrap_or_clone(claims), &ctx))),
            },
        };
    }
    let (now, token) = (state.clock.now(), hash(token));
    let found = state.db.read(move |conn| store::refresh_token(conn, &token, now)).await?;
    Ok(Ok(match found {
        Some((_, user, expires, true)) => Introspection {
            active: true,
            token_type: Some("refresh_token"),
            client_id: Some("cairn".into()),
            sub: Some(user),
            exp: Some(expires.timestamp()),
            ..Introspection::default()
        },
        _ => Introspection::default(),
    }))
}

/// The claims, with the scopes that the client still has.
fn describe(claims: Claims, ctx: &Ctx) -> Introspection {
    let scopes = match (&ctx.actor, &ctx.via) {
        (_, Some(via)) => Some(via.scopes.as_slice()),
        (Actor::Client { scopes, .. }, None) => Some(scopes.as_slice()),
        _ => None,
    };
    Introspection {
        active: true,
        token_type: Some("Bearer"),
        scope: scopes.map(join),
        client_id: Some(claims.client_id),
        sub: Some(claims.sub),
        aud: Some(claims.aud),
        iss: Some(claims.iss),
        jti: Some(claims.jti),
        exp: Some(claims.exp),
        iat: Some(claims.iat),
        act: claims.act.map(|act| json!({"sub": act.sub})),
    }
}

/// Revokes a token: an access token of a client alone, a person's token with the whole session. A token that is unknown is
/// none the wiser (RFC 7009 §2.2). People's tokens need no client: who holds one may end it.
///
/// # Errors
/// `invalid_client` or `unauthorized_client` inside.
pub async fn revoke(
    state: &State,
    credentials: Option<Credentials>,
    token: &str,
    request_id: Option<String>,
) -> OAuthResult<()> {
    let client = match credentials {
        None => None,
        Some(credentials) => match authenticate(state, credentials).await? {
            Ok(client) => Some(client),
            Err(error) => return Ok(Err(error)),
        },
    };
    let now = state.clock.now();
    let ctx = match &client {
        Some(client) => acting(state, client, request_id),
        None => Ctx { request_id, ..state.system() },
    };
    if !token.contains('.') {
        let hashed = hash(token);
        return state
            .db
            .write(move |conn| match store::refresh_token(conn, &hashed, now)? {
                Some((session, user, ..)) => end(conn, &ctx, session, user),
                None => Ok(()),
            })
            .await
            .map(Ok);
    }
    let Ok(claims) = state.tokens.verify(token, now, &state.db).await else { return Ok(Ok(())) };
    match (claims.sid, &claims.act) {
        (Some(session), None) => {
            state.db.write(move |conn| end(conn, &ctx, session, claims.sub)).await?;
        }
        _ => {
            let Some(client) = client else {
                return Ok(Err(OAuthError::client("The client to whom the token was given must say who it is.")));
            };
            if claims.client_id != client.id.to_string() {
                return Ok(Err(OAuthError::new("unauthorized_client", "The token was given to another client.")));
            }
            let until = later(DateTime::from_timestamp(claims.exp, 0).unwrap_or(now), TimeDelta::minutes(5));
            state
                .db
                .write(move |conn| {
                    store::revoke(conn, claims.jti, until)?;
                    let told = NewEvent::new("client.token_revoked", "client", client.id);
                    events::append(conn, &ctx, vec![told.data(json!({"jti": claims.jti}))])
                })
                .await?;
        }
    }
    Ok(Ok(()))
}

fn end(conn: &mut crate::db::Conn, ctx: &Ctx, session: Uuid, user: Uuid) -> AppResult<()> {
    store::end_session(conn, session, ctx.now)?;
    events::append(conn, ctx, vec![NewEvent::new("session.revoked", "session", session).user(user)])
}

/// Forgets what kept expired tokens and assertions from counting.
///
/// # Errors
/// Database errors.
pub fn forget_expired(state: &State, _: &serde_json::Value) -> AppResult<()> {
    let before = state.clock.now() - TimeDelta::minutes(5);
    state.db.write_here(move |conn| store::forget(conn, before))
}
