//! Access tokens: JWTs as RFC 9068 says, signed with EdDSA, short-lived.

use std::time::Duration;

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, Header, Validation};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

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
    verified: Cache<String, Claims>,
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
        let keys = self.keys.get();
        let iat = now.timestamp();
        let claims = Claims {
            iss: self.issuer.clone(),
            sub,
            aud: self.audience.clone(),
            exp: iat.saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX)),
            iat,
            jti: crate::clock::new_id(now),
            client_id: if sid.is_some() { "cairn".to_owned() } else { sub.to_string() },
            sid,
            scope,
        };
        let header =
            Header { typ: Some("at+jwt".into()), kid: Some(keys.current.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, &claims, &keys.signing).map_err(AppError::internal)
    }

    /// Verifies a token. Only EdDSA by a key of ours counts, whatever the token's header says.
    ///
    /// # Errors
    /// 401 with a sentence that says what is wrong with it.
    pub async fn verify(&self, token: &str, now: DateTime<Utc>, db: &Db) -> AppResult<Claims> {
        if token.len() > MAX_TOKEN {
            return Err(refused("The access token is too long."));
        }
        if let Some(claims) = self.verified.get(token) {
            return fresh(claims, now);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| refused("The access token cannot be read."))?;
        if header.alg != Algorithm::EdDSA || !header.typ.as_deref().is_some_and(|t| t.eq_ignore_ascii_case("at+jwt")) {
            return Err(refused("The access token is not one of ours."));
        }
        let kid = header.kid.ok_or_else(|| refused("The access token names no key."))?;
        if !self.keys.get().verifying.contains_key(&kid) {
            self.reload_keys(now, db).await?;
        }
        let claims = self.check(&self.keys.get(), &kid, token)?;
        self.verified.insert(token.to_owned(), claims.clone());
        fresh(claims, now)
    }

    fn check(&self, keys: &KeySet, kid: &str, token: &str) -> AppResult<Claims> {
        let key = keys.verifying.get(kid).ok_or_else(|| refused("The access token was signed with an unknown key."))?;
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_issuer(&[&self.issuer]);
        rules.set_audience(&[&self.audience]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Expiry is compared below with the server's clock, which the sandbox may have moved.
        rules.validate_exp = false;
        jsonwebtoken::decode::<Claims>(token, key, &rules)
            .map(|data| data.claims)
            .map_err(|_| refused("The access token is not valid."))
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

fn fresh(claims: Claims, now: DateTime<Utc>) -> AppResult<Claims> {
    if claims.exp <= now.timestamp() {
        return Err(refused("The access token has expired."));
    }
    Ok(claims)
}

/// The 401 for a token that does not count (RFC 6750 §3.1).
fn refused(why: &str) -> AppError {
    AppError::new(Code::Unauthenticated, why)
}
