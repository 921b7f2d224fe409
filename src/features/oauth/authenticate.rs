//! How a client proves who it is: a secret, or a signed assertion that is taken once.

use chrono::DateTime;
use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::dto::{Credentials, OAuthError, OAuthResult};
use super::store::{self, ClientRow};
use crate::auth::jose::{ALGORITHMS, KeyRing, Opened};
use crate::domain::permission::Scope;
use crate::error::{AppError, AppResult};
use crate::state::State;

/// Seconds for which an assertion may be good at most.
const LONGEST_ASSERTION: i64 = 3600;

/// A client that has proved who it is.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its id.
    pub id: Uuid,
    /// What it may have.
    pub scopes: Vec<Scope>,
}

/// SHA-256 in hex, as secrets and tokens are kept.
pub fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn refused() -> OAuthError {
    OAuthError::client("The client is unknown, disabled, authenticates in another way, or its proof is wrong.")
}

/// Finds out which client it is.
///
/// # Errors
/// `invalid_client` inside.
pub async fn authenticate(state: &State, credentials: Credentials) -> OAuthResult<Client> {
    match credentials {
        Credentials::Basic(id, secret) => by_secret(state, &id, &secret, "client_secret_basic").await,
        Credentials::Post(id, secret) => by_secret(state, &id, &secret, "client_secret_post").await,
        Credentials::Assertion(assertion, id) => by_assertion(state, &assertion, id.as_deref()).await,
    }
}

fn known(row: ClientRow) -> AppResult<Client> {
    Ok(Client { id: row.id, scopes: serde_json::from_value(row.scopes).map_err(AppError::internal)? })
}

async fn by_secret(state: &State, id: &str, secret: &str, method: &'static str) -> OAuthResult<Client> {
    let Ok(id) = Uuid::try_parse(id) else { return Ok(Err(refused())) };
    let now = state.clock.now();
    let (row, hashes) =
        state.db.read(move |conn| Ok((store::client(conn, id)?, store::secret_hashes(conn, id, now)?))).await?;
    let given = hash(secret);
    let mut right = false;
    for kept in hashes {
        right |= bool::from(given.as_bytes().ct_eq(kept.as_bytes()));
    }
    match row {
        Some(row) if right && row.state == "active" && row.auth_method == method => known(row).map(Ok),
        _ => Ok(Err(refused())),
    }
}

/// RFC 7523 §3: issuer and subject are the client, the audience is this server, and no assertion counts twice.
async fn by_assertion(state: &State, assertion: &str, client_id: Option<&str>) -> OAuthResult<Client> {
    let flaw = |why: &str| Ok(Err(OAuthError::client(why)));
    let opened = match Opened::read(assertion) {
        Ok(opened) => opened,
        Err(why) => return flaw(why),
    };
    if !opened.typ.as_deref().is_none_or(|typ| ["jwt", "client-authentication+jwt"].contains(&typ)) {
        return flaw("The token is of another kind.");
    }
    let Some(id) = opened.claimed_issuer().and_then(|iss| Uuid::try_parse(iss).ok()) else { return Ok(Err(refused())) };
    if client_id.is_some_and(|given| Uuid::try_parse(given) != Ok(id)) {
        return Ok(Err(refused()));
    }
    let Some(row) = state.db.read(move |conn| store::client(conn, id)).await? else { return Ok(Err(refused())) };
    if row.state != "active" || row.auth_method != "private_key_jwt" {
        return Ok(Err(refused()));
    }
    let (ring, _) = KeyRing::parse(row.jwks.as_ref().unwrap_or(&Value::Null));
    let now = state.clock.now();
    let base = &state.public_url;
    let claims = match opened.verify(assertion, &ring, &ALGORITHMS.map(|(_, algorithm)| algorithm)) {
        Ok(claims) => claims,
        Err(why) => return flaw(why),
    };
    // Each of its endpoints names this server: libraries write down the one that they call.
    let here = ["token", "introspect", "revoke"].map(|endpoint| format!("{base}/oauth/{endpoint}"));
    let [token, introspect, revoke] = &here;
    let checked =
        claims.check_times(now).and_then(|()| claims.check_audience(&[base.as_str(), token, introspect, revoke]));
    if let Err(why) = checked {
        return flaw(why);
    }
    if claims.text("sub").and_then(|sub| Uuid::try_parse(sub).ok()) != Some(id) {
        return flaw("The assertion's subject is not its issuer.");
    }
    let expires = claims.expires().unwrap_or(0);
    if expires > now.timestamp().saturating_add(LONGEST_ASSERTION) {
        return flaw("The assertion is good for more than an hour.");
    }
    let Some(jti) = claims.text("jti").filter(|jti| jti.len() <= 512) else {
        return flaw("The assertion has no id (jti).");
    };
    let jti = hash(jti);
    let until = DateTime::from_timestamp(expires, 0).unwrap_or(now);
    if !state.db.write(move |conn| store::take_assertion(conn, id, &jti, until)).await? {
        return flaw("The assertion was used before.");
    }
    known(row).map(Ok)
}
