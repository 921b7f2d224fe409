//! Access tokens: JWTs as RFC 9068 says, signed with EdDSA, short-lived.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, Header};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::jose::{Flaw, Opened};
use super::keys::{KeySet, Keys};
use crate::db::Db;
use crate::error::{AppError, AppResult, Code};

/// Claims of an access token (RFC 9068 §2.2).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claims {
    /// Issuer: the installation's public URL.
    pub iss: String,
    /// User or client.
    pub sub: Uuid,
    /// Audience: the API below the issuer.
    pub aud: String,
    /// Expiry, seconds since 1970.
    pub exp: i64,
    /// Issued at, seconds since 1970.
    pub iat: i64,
    /// The token's own id.
    pub jti: Uuid,
    /// The OAuth client; `cairn` for people who logged in with a password.
    pub client_id: String,
    /// The session, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Uuid>,
    /// Scopes separated by spaces, for clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Who acts for the subject, after a token exchange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<ActedBy>,
}

/// Who acts for the token's subject (RFC 8693 §4.1).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ActedBy {
    /// The client.
    pub sub: Uuid,
}

/// What an access token is to say.
#[derive(Debug, Clone)]
pub struct Grant {
    /// User or client.
    pub sub: Uuid,
    /// The client that got it; none for people who logged in with a password.
    pub client: Option<Uuid>,
    /// The session, for people.
    pub sid: Option<Uuid>,
    /// Scopes, for clients.
    pub scope: Option<String>,
    /// The client that acts for the user.
    pub act: Option<Uuid>,
}

/// Longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 4096;

/// Signs and verifies access tokens.
pub struct Tokens {
    /// The signing keys.
    pub keys: Keys,
    issuer: String,
    audience: String,
    /// Tokens whose signature was found good, so that it is checked once and not at every request.
    verified: Cache<String, Arc<Claims>>,
    last_reload: std::sync::atomic::AtomicI64,
}

impl Tokens {
    /// Tokens of this issuer.
    #[must_use]
    pub fn new(keys: Keys, issuer: &str) -> Self {
        Self {
            keys,
            issuer: issuer.to_owned(),
            audience: format!("{issuer}/v1"),
            verified: Cache::new(10_000),
            last_reload: std::sync::atomic::AtomicI64::new(0),
        }
    }

    /// What the tokens are meant for: their `aud`.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// Signs an access token.
    ///
    /// # Errors
    /// When signing fails.
    pub fn sign(
        &self,
        sub: Uuid,
        sid: Option<Uuid>,
        scope: Option<String>,
        now: DateTime<Utc>,
        lifetime: Duration,
    ) -> AppResult<String> {
        let client = if sid.is_some() { None } else { Some(sub) };
        self.issue(Grant { sub, client, sid, scope, act: None }, now, lifetime).map(|(token, _)| token)
    }

    /// Signs an access token that says this; answers its id beside.
    ///
    /// # Errors
    /// When signing fails.
    pub fn issue(&self, grant: Grant, now: DateTime<Utc>, lifetime: Duration) -> AppResult<(String, Uuid)> {
        let keys = self.keys.get();
        let iat = now.timestamp();
        let jti = crate::clock::new_id(now);
        let claims = Claims {
            iss: self.issuer.clone(),
            sub: grant.sub,
            aud: self.audience.clone(),
            exp: iat.saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX)),
            iat,
            jti,
            client_id: grant.client.map_or_else(|| "cairn".to_owned(), |client| client.to_string()),
            sid: grant.sid,
            scope: grant.scope,
            act: grant.act.map(|sub| ActedBy { sub }),
        };
        let header =
            Header { typ: Some("at+jwt".into()), kid: Some(keys.current.clone()), ..Header::new(Algorithm::EdDSA) };
        let token = jsonwebtoken::encode(&header, &claims, &keys.signing).map_err(AppError::internal)?;
        Ok((token, jti))
    }

    /// Verifies a token. Only EdDSA by a key of ours counts, whatever the token's header says.
    ///
    /// # Errors
    /// 401 with a sentence that says what is wrong with it.
    pub async fn verify(&self, token: &str, now: DateTime<Utc>, db: &Db) -> AppResult<Arc<Claims>> {
        if token.len() > MAX_TOKEN {
            return Err(refused("The access token is too long."));
        }
        if let Some(claims) = self.verified.get(token) {
            return fresh(claims, now);
        }
        let opened = Opened::read(token).map_err(refused)?;
        if opened.algorithm != Algorithm::EdDSA || opened.typ.as_deref() != Some("at+jwt") {
            return Err(refused("The access token is not one of ours."));
        }
        let kid = opened.kid.clone().ok_or_else(|| refused("The access token names no key."))?;
        if !self.keys.get().verifying.contains_key(&kid) {
            self.reload_keys(now, db).await?;
        }
        let claims = Arc::new(self.check(&self.keys.get(), &kid, opened, token, now).map_err(refused)?);
        self.verified.insert(token.to_owned(), Arc::clone(&claims));
        Ok(claims)
    }

    fn check(&self, keys: &KeySet, kid: &str, opened: Opened, token: &str, now: DateTime<Utc>) -> Result<Claims, Flaw> {
        let key = keys.verifying.get(kid).ok_or("The access token was signed with an unknown key.")?;
        let claims = opened.verify_with(token, key)?;
        claims.check_times(now)?;
        claims.check_audience(&[&self.audience])?;
        if claims.text("iss") != Some(&self.issuer) {
            return Err("The access token is not one of ours.");
        }
        claims.typed()
    }

    /// Another process may have rotated the keys; asked at most once a second, so that forged ids cost nothing.
    async fn reload_keys(&self, now: DateTime<Utc>, db: &Db) -> AppResult<()> {
        let second = now.timestamp();
        if self.last_reload.swap(second, std::sync::atomic::Ordering::Relaxed) == second {
            return Ok(());
        }
        let set = db.read(super::keys::load_set).await?;
        if let Some(set) = set {
            self.keys.replace(set);
        }
        Ok(())
    }
}

fn fresh(claims: Arc<Claims>, now: DateTime<Utc>) -> AppResult<Arc<Claims>> {
    if claims.exp <= now.timestamp() {
        return Err(refused("The access token has expired."));
    }
    Ok(claims)
}

/// The 401 for a token that does not count (RFC 6750 §3.1).
fn refused(why: &str) -> AppError {
    AppError::new(Code::Unauthenticated, why)
}
