//! Outside identity: JWTs of the OpenID Connect issuers that the installation trusts (`CAIRN_TRUSTED_ISSUERS`).
//!
//! Audience and algorithms are pinned by the configuration, keys come from it or from the issuer (discovery, then its JWK set),
//! are kept for an hour, and are asked for again when a token names one that is not known, at most once a minute.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::Algorithm;
use quick_cache::sync::Cache;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::jose::{self, KeyRing, MAX_TOKEN, Opened};
use crate::domain::permission::Role;
use crate::error::{AppError, AppResult, Code};

/// Which of Cairn's fields a claim is compared with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserField {
    /// The e-mail, whatever its case.
    #[default]
    Email,
    /// The id that the HR system owns.
    ExternalId,
}

/// One issuer, as it stands in `CAIRN_TRUSTED_ISSUERS`: a JSON list of these.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// The exact `iss` of its tokens; keys are discovered below it.
    pub issuer: String,
    /// What must stand in `aud`.
    pub audience: String,
    /// Algorithms that are accepted: RS256 when absent; PS256, ES256, EdDSA (also as Ed25519).
    #[serde(default)]
    pub algorithms: Vec<String>,
    /// Where its keys are; discovered when absent.
    #[serde(default)]
    pub jwks_uri: Option<String>,
    /// Its keys themselves; then nothing is fetched.
    #[serde(default)]
    pub jwks: Option<Value>,
    /// The claim that names the user: `email` when absent.
    #[serde(default)]
    pub user_claim: Option<String>,
    /// The field that the claim is compared with: `email` or `external_id`.
    #[serde(default)]
    pub user_field: UserField,
    /// Take e-mails that the issuer does not call verified; for issuers that never say.
    #[serde(default)]
    pub trust_email: bool,
    /// Make the user on first sight, from `email`, `given_name` and `family_name`.
    #[serde(default)]
    pub create_users: bool,
    /// Roles of users made on first sight; `learner` when absent. Never `admin`.
    #[serde(default)]
    pub roles: Option<Vec<Role>>,
}

/// Who a token is about.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The issuer.
    pub issuer: String,
    /// The field to find the user by.
    pub field: UserField,
    /// Its value.
    pub value: String,
    /// Whether to make the user, with which roles.
    pub create: Option<Vec<Role>>,
    /// A good e-mail, if there is one.
    pub email: Option<String>,
    /// Given name, if told.
    pub given_name: Option<String>,
    /// Family name, if told.
    pub family_name: Option<String>,
    /// When the token expires, seconds since 1970.
    pub expires: i64,
}

struct Known {
    ring: Arc<KeyRing>,
    fetched_at: Option<DateTime<Utc>>,
    tried_at: Option<DateTime<Utc>>,
}

struct Issuer {
    config: IssuerConfig,
    algorithms: Vec<Algorithm>,
    known: RwLock<Known>,
    turn: tokio::sync::Mutex<()>,
}

/// All trusted issuers.
pub struct Outside {
    issuers: Vec<Issuer>,
    /// Users behind tokens whose signature was found good, until they expire.
    seen: Cache<String, (Uuid, i64)>,
}

/// Minutes for which fetched keys are kept.
const KEPT_MINUTES: i64 = 60;
/// Seconds between two fetches of one issuer's keys.
const PATIENCE_SECONDS: i64 = 60;

fn refused(why: &str) -> AppError {
    AppError::new(Code::Unauthenticated, why)
}

fn is_safe(url: &str) -> bool {
    let host = |rest: &str| rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned();
    match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => !host(rest).is_empty(),
        (_, Some(rest)) => {
            let host = host(rest);
            let name = if host.starts_with('[') { host.as_str() } else { host.split(':').next().unwrap_or_default() };
            ["localhost", "127.0.0.1"].contains(&name) || name.starts_with("[::1]")
        }
        _ => false,
    }
}

impl Outside {
    /// Reads the setting; nothing is trusted when it is absent.
    ///
    /// # Errors
    /// A sentence for whoever configures it.
    pub fn parse(setting: Option<&str>) -> Result<Self, String> {
        let text = setting.map(str::trim).filter(|text| !text.is_empty()).unwrap_or("[]");
        let configs: Vec<IssuerConfig> =
            serde_json::from_str(text).map_err(|e| format!("CAIRN_TRUSTED_ISSUERS is not a list of issuers: {e}"))?;
        let issuers = configs.into_iter().map(Issuer::new).collect::<Result<_, _>>()?;
        Ok(Self { issuers, seen: Cache::new(10_000) })
    }

    /// Whether the token says to come from a trusted issuer.
    #[must_use]
    pub fn speaks_for(&self, token: &str) -> bool {
        if self.issuers.is_empty() || token.len() > MAX_TOKEN {
            return false;
        }
        self.seen.get(token).is_some()
            || Opened::read(token).is_ok_and(|opened| self.issuer(opened.claimed_issuer()).is_some())
    }

    fn issuer(&self, name: Option<&str>) -> Option<&Issuer> {
        self.issuers.iter().find(|issuer| Some(issuer.config.issuer.as_str()) == name)
    }

    /// The user behind a token that was seen before.
    #[must_use]
    pub fn recall(&self, token: &str, now: DateTime<Utc>) -> Option<Uuid> {
        self.seen.get(token).filter(|(_, expires)| *expires > now.timestamp()).map(|(user, _)| user)
    }

    /// Keeps the user behind a good token.
    pub fn remember(&self, token: &str, user: Uuid, expires: i64) {
        self.seen.insert(token.to_owned(), (user, expires));
    }

    /// Who a token is about.
    ///
    /// # Errors
    /// 401 with what is wrong.
    pub async fn identify(&self, token: &str, now: DateTime<Utc>) -> AppResult<Identity> {
        let opened = Opened::read(token).map_err(refused)?;
        let issuer =
            self.issuer(opened.claimed_issuer()).ok_or_else(|| refused("The token's issuer is not trusted."))?;
        if !issuer.algorithms.contains(&opened.algorithm) {
            return Err(refused("The token's algorithm is not accepted."));
        }
        if !opened.typ.as_deref().is_none_or(|typ| ["jwt", "at+jwt"].contains(&typ)) {
            return Err(refused("The token is of another kind."));
        }
        let ring = issuer.keys_for(&opened, now).await;
        let claims = opened.verify(token, &ring, &issuer.algorithms).map_err(refused)?;
        claims.check_times(now).map_err(refused)?;
        claims.check_audience(&[&issuer.config.audience]).map_err(refused)?;
        let config = &issuer.config;
        let name = config.user_claim.as_deref().unwrap_or("email");
        let value = claims.text(name).ok_or_else(|| refused("The token lacks the claim that names the user."))?;
        let verified = config.trust_email || claims.is_true("email_verified");
        if config.user_field == UserField::Email && !verified {
            return Err(refused("The issuer has not verified the e-mail."));
        }
        let email = match config.user_field {
            UserField::Email => Some(value),
            UserField::ExternalId => claims.text("email").filter(|_| verified),
        };
        Ok(Identity {
            issuer: config.issuer.clone(),
            field: config.user_field,
            value: value.to_owned(),
            create: config.create_users.then(|| config.roles.clone().unwrap_or_else(|| vec![Role::Learner])),
            email: email.map(str::to_owned),
            given_name: claims.text("given_name").map(str::to_owned),
            family_name: claims.text("family_name").map(str::to_owned),
            expires: claims.expires().unwrap_or(0),
        })
    }
}

impl Issuer {
    fn new(config: IssuerConfig) -> Result<Self, String> {
        let name = config.issuer.clone();
        let wrong = |what: &str| format!("CAIRN_TRUSTED_ISSUERS, {name}: {what}");
        let mut algorithms = Vec::new();
        for text in &config.algorithms {
            let unknown = || wrong(&format!("the algorithm {text} is not RS256, PS256, ES256, EdDSA or Ed25519."));
            algorithms.push(jose::algorithm(text).ok_or_else(unknown)?);
        }
        if algorithms.is_empty() {
            algorithms.push(Algorithm::RS256);
        }
        if config.audience.is_empty() {
            return Err(wrong("an audience is needed."));
        }
        if config.roles.as_ref().is_some_and(|roles| roles.contains(&Role::Admin)) {
            return Err(wrong("users made on first sight cannot be admins."));
        }
        let source = config.jwks_uri.as_deref().unwrap_or(&config.issuer);
        if config.jwks.is_none() && !is_safe(source) {
            return Err(wrong("keys are fetched over https only (http for this machine itself)."));
        }
        let ring = match &config.jwks {
            None => KeyRing::parse(&serde_json::json!({"keys": []})).0,
            Some(set) => match KeyRing::parse(set) {
                (ring, faults) if faults.is_empty() => ring,
                (_, faults) => {
                    let told: Vec<String> = faults.into_iter().map(|(at, why)| format!("jwks{at}: {why}")).collect();
                    return Err(wrong(&told.join(" ")));
                }
            },
        };
        let known = RwLock::new(Known { ring: Arc::new(ring), fetched_at: None, tried_at: None });
        Ok(Self { config, algorithms, known, turn: tokio::sync::Mutex::new(()) })
    }

    /// The keys, fetched when they are old or do not have the one that the token names.
    async fn keys_for(&self, token: &Opened, now: DateTime<Utc>) -> Arc<KeyRing> {
        if let Some(ring) = self.known_keys(token, now) {
            return ring;
        }
        let _turn = self.turn.lock().await;
        if let Some(ring) = self.known_keys(token, now) {
            return ring;
        }
        let (issuer, uri) = (self.config.issuer.clone(), self.config.jwks_uri.clone());
        let fetched = actix_web::web::block(move || fetch(&issuer, uri.as_deref())).await;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.tried_at = Some(now);
        match fetched {
            Ok(Ok(ring)) => {
                known.ring = Arc::new(ring);
                known.fetched_at = Some(now);
            }
            Ok(Err(why)) => log::warn!("the keys of {} cannot be fetched: {why}", self.config.issuer),
            Err(error) => log::warn!("the keys of {} cannot be fetched: {error}", self.config.issuer),
        }
        Arc::clone(&known.ring)
    }

    /// The keys as they are, unless they should be fetched first.
    fn known_keys(&self, token: &Opened, now: DateTime<Utc>) -> Option<Arc<KeyRing>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let tried_lately =
            known.tried_at.is_some_and(|at| now.signed_duration_since(at) < TimeDelta::seconds(PATIENCE_SECONDS));
        let young = known.fetched_at.is_some_and(|at| now.signed_duration_since(at) < TimeDelta::minutes(KEPT_MINUTES));
        let has = known.ring.knows(token.kid.as_deref(), token.algorithm);
        let stay = self.config.jwks.is_some() || tried_lately || (young && has);
        stay.then(|| Arc::clone(&known.ring))
    }
}

fn get(url: &str) -> Result<Value, String> {
    if !is_safe(url) {
        return Err(format!("{url} is not https"));
    }
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(5))).max_redirects(0).build().into();
    let mut answer = agent.get(url).call().map_err(|e| format!("{url}: {e}"))?;
    let bytes = answer.body_mut().with_config().limit(256 * 1024).read_to_vec().map_err(|e| format!("{url}: {e}"))?;
    serde_json::from_slice(&bytes).map_err(|e| format!("{url}: {e}"))
}

fn fetch(issuer: &str, jwks_uri: Option<&str>) -> Result<KeyRing, String> {
    let uri = match jwks_uri {
        Some(uri) => uri.to_owned(),
        None => {
            let document = get(&format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')))?;
            if document.get("issuer").and_then(Value::as_str) != Some(issuer) {
                return Err("its discovery document names another issuer".into());
            }
            document.get("jwks_uri").and_then(Value::as_str).ok_or("its discovery document has no jwks_uri")?.to_owned()
        }
    };
    // Keys of kinds that are not known do not hurt those that are.
    let (ring, faults) = KeyRing::parse(&get(&uri)?);
    if ring.is_empty() { Err(faults.into_iter().map(|(at, why)| format!("{at}: {why}")).collect()) } else { Ok(ring) }
}
