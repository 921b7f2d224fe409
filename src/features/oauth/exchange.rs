//! Token exchange (RFC 8693): a client gets a token with which it acts as one user, narrowed to scopes of its own.

use serde_json::json;
use uuid::Uuid;

use super::authenticate::Client;
use super::dto::{AccessToken, Form, OAuthError, OAuthResult};
use super::service::{join, narrow};
use super::store;
use crate::auth::caller;
use crate::auth::tokens::Grant;
use crate::domain::permission::{Actor, Scope};
use crate::error::Code;
use crate::events::{self, NewEvent};
use crate::http::Ref;
use crate::state::{Ctx, State};

/// The grant's name.
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// A subject told by a user's own access token.
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// A subject told by a JWT of a trusted outside issuer.
pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// A subject told by id or `ext:<external_id>`; for clients with the scope `act_as`.
pub const USER_ID: &str = "urn:cairn:params:oauth:token-type:user-id";

/// The user meant, their session if the token has one, and when the token ends.
struct Subject {
    user: Uuid,
    session: Option<Uuid>,
    expires: Option<i64>,
}

/// Exchanges what tells a user for a token that acts as this user.
///
/// # Errors
/// An RFC 6749 error inside.
pub async fn exchange(state: &State, client: &Client, form: &Form, ctx: Ctx) -> OAuthResult<AccessToken> {
    let invalid = |why: &str| Ok(Err(OAuthError::new("invalid_request", why)));
    let (Some(subject), Some(kind)) = (form.get("subject_token"), form.get("subject_token_type")) else {
        return invalid("subject_token and subject_token_type are needed.");
    };
    if form.get("actor_token").is_some() {
        return invalid("The client itself is the actor; actor_token is not taken.");
    }
    if form.get("requested_token_type").is_some_and(|asked| asked != ACCESS_TOKEN) {
        return invalid("Only access tokens are given out.");
    }
    let found = match kind {
        ACCESS_TOKEN | JWT => by_token(state, subject).await?,
        USER_ID if !client.scopes.contains(&Scope::ActAs) => {
            Err(OAuthError::new("unauthorized_client", "The client needs the scope act_as to act as a user by id."))
        }
        USER_ID => by_id(state, subject).await?,
        _ => return invalid("The subject_token_type is not known."),
    };
    let subject = match found {
        Ok(subject) => subject,
        Err(error) => return Ok(Err(error)),
    };
    // The right to act as somebody is not handed on.
    let scope = match narrow(client, form.get("scope")) {
        Ok(scopes) => join(&scopes.into_iter().filter(|s| *s != Scope::ActAs).collect::<Vec<_>>()),
        Err(error) => return Ok(Err(error)),
    };
    let most = i64::from(state.config.access_token_seconds);
    let left = subject.expires.map_or(most, |expires| expires.saturating_sub(ctx.now.timestamp()).min(most)).max(1);
    let lifetime = std::time::Duration::from_secs(u64::try_from(left).unwrap_or(1));
    let grant = Grant {
        sub: subject.user,
        client: Some(client.id),
        sid: subject.session,
        scope: Some(scope.clone()),
        act: Some(client.id),
    };
    let (access_token, jti) = state.tokens.issue(grant, ctx.now, lifetime)?;
    let told = NewEvent::new("client.acted_as", "user", subject.user)
        .user(subject.user)
        .data(json!({"scope": scope, "jti": jti, "subject_token_type": kind}));
    let id = client.id;
    state
        .db
        .write(move |conn| {
            store::touch(conn, id, ctx.now)?;
            events::append(conn, &ctx, vec![told])
        })
        .await?;
    let issued_token_type = Some(ACCESS_TOKEN);
    Ok(Ok(AccessToken { access_token, token_type: "Bearer", expires_in: left, scope, issued_token_type }))
}

async fn by_token(state: &State, token: &str) -> OAuthResult<Subject> {
    let refused = |why: &str| Ok(Err(OAuthError::new("invalid_grant", why)));
    let ctx = match caller::authenticate(state, token, None).await {
        Ok(ctx) => ctx,
        Err(error) if error.code() == Code::Unauthenticated => return refused(error.detail()),
        Err(error) => return Err(error),
    };
    match ctx.actor {
        Actor::User { id, .. } if ctx.via.is_none() => {
            let expires = state.tokens.verify(token, ctx.now, &state.db).await.ok().map(|claims| claims.exp);
            Ok(Ok(Subject { user: id, session: ctx.session_id, expires }))
        }
        _ => refused("The subject token is not a user's own."),
    }
}

async fn by_id(state: &State, subject: &str) -> OAuthResult<Subject> {
    let refused = || Ok(Err(OAuthError::new("invalid_grant", "There is no active user of this id.")));
    let Some(who) = Ref::parse(subject) else { return refused() };
    match state.db.read(move |conn| store::active_user(conn, &who)).await? {
        Some(user) => Ok(Ok(Subject { user, session: None, expires: None })),
        None => refused(),
    }
}
