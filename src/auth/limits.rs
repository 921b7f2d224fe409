//! How often callers may call: a token bucket in this process for each user, client and address. Nothing is counted where
//! nothing is limited.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpMessage, HttpRequest};
use chrono::{DateTime, Utc};
use quick_cache::sync::Cache;

use crate::config::Access;
use crate::domain::rate::{Limit, Verdict};
use crate::error::{AppError, AppResult, Code};
use crate::http::openapi::operation_at;
use crate::state::{Ctx, State};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// The policy for those whom nobody knows.
const ANONYMOUS: &str = "anonymous";

/// The limits of one process and its buckets.
pub struct Limits {
    caller: Option<Limit>,
    anonymous: Option<Limit>,
    login: Option<Limit>,
    trust_forwarded: bool,
    buckets: Cache<u64, Arc<AtomicI64>>,
}

/// What a request may say about its limit (draft-ietf-httpapi-ratelimit-headers).
#[derive(Debug, Clone, Copy)]
pub struct Told {
    policy: &'static str,
    limit: Limit,
    verdict: Verdict,
}

impl Told {
    fn values(&self) -> [(HeaderName, String); 2] {
        let (policy, limit, verdict) = (self.policy, self.limit.per_minute, self.verdict);
        [
            (POLICY, format!("\"{policy}\";q={limit};w=60")),
            (LEFT, format!("\"{policy}\";r={};t={}", verdict.remaining, verdict.wait_seconds)),
        ]
    }

    /// Writes the headers.
    pub fn write(&self, headers: &mut HeaderMap) {
        for (name, value) in self.values() {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
}

/// The address that a request comes from.
#[must_use]
pub fn address(request: &HttpRequest, trust_forwarded: bool) -> String {
    let forwarded = || {
        let value = request.headers().get_all("x-forwarded-for").next_back()?.to_str().ok()?;
        Some(value.rsplit(',').next()?.trim().to_owned()).filter(|a| !a.is_empty() && a.len() <= 64)
    };
    let direct = || request.peer_addr().map(|peer| peer.ip().to_string());
    let told = if trust_forwarded { forwarded() } else { None };
    told.or_else(direct).unwrap_or_else(|| "unknown".into())
}

impl Limits {
    /// The limits that are configured.
    #[must_use]
    pub fn new(access: &Access) -> Self {
        let limit = |per_minute| (per_minute > 0).then_some(Limit { per_minute });
        Self {
            caller: limit(access.rate_limit_per_minute),
            anonymous: limit(access.anonymous_rate_limit_per_minute),
            login: limit(access.login_rate_limit_per_minute),
            trust_forwarded: access.trust_forwarded,
            buckets: Cache::new(100_000),
        }
    }

    fn take(&self, policy: &'static str, limit: Limit, who: impl Hash, now: DateTime<Utc>) -> AppResult<Told> {
        let mut hasher = DefaultHasher::new();
        (policy, who).hash(&mut hasher);
        let key = hasher.finish();
        let bucket = match self.buckets.get(&key) {
            Some(bucket) => bucket,
            None => self.buckets.get_or_insert_with(&key, || Ok::<_, AppError>(Arc::new(AtomicI64::new(0))))?,
        };
        let now = now.timestamp_micros();
        let mut seen = bucket.load(Ordering::Relaxed);
        loop {
            let verdict = limit.take(seen, now);
            let told = Told { policy, limit, verdict };
            if !verdict.allowed {
                let mut error = AppError::new(
                    Code::TooMany,
                    format!("At most {} requests a minute. Try again in {} s.", limit.per_minute, verdict.wait_seconds),
                )
                .with_header(header::RETRY_AFTER, verdict.wait_seconds.to_string());
                for (name, value) in told.values() {
                    error = error.with_header(name, value);
                }
                return Err(error);
            }
            match bucket.compare_exchange_weak(seen, verdict.full_at, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(told),
                Err(other) => seen = other,
            }
        }
    }
}

/// Counts the request of a known caller.
///
/// # Errors
/// 429.
pub fn count(request: &HttpRequest, state: &State, ctx: &Ctx) -> AppResult<()> {
    let Some(limit) = state.limits.caller else { return Ok(()) };
    let who = ctx.via.as_ref().map(|via| via.client).or(ctx.actor.id());
    let told = state.limits.take("caller", limit, who, ctx.now)?;
    request.extensions_mut().insert(told);
    Ok(())
}

/// Counts a request before anything else looks at it: log-ins, and requests without a token, by address.
///
/// # Errors
/// 429.
pub fn count_address(request: &HttpRequest, state: &State) -> AppResult<()> {
    let limits = &state.limits;
    // Probes and browsers' questions beforehand must never be told to wait.
    if request.method() == Method::OPTIONS || matches!(request.path(), "/healthz" | "/readyz" | "/metrics") {
        return Ok(());
    }
    let log_in = request.method() == Method::POST
        && matches!(request.path(), "/v1/sessions" | "/v1/sessions/refresh" | "/docs/token")
        || request.path().starts_with("/oauth/");
    let (policy, limit) = if log_in { ("login", limits.login) } else { (ANONYMOUS, limits.anonymous) };
    if limit.is_none() || !log_in && request.headers().contains_key(header::AUTHORIZATION) && takes_token(request) {
        // Nothing is limited; or whose the token is, and whether it is any good, is found out later.
        return Ok(());
    }
    take_by_address(request, state, policy, limit)
}

/// Whether the operation looks at a token; elsewhere one makes nobody known.
fn takes_token(request: &HttpRequest) -> bool {
    operation_at(request.method().as_str(), request.path()).is_some_and(|takes| takes.token)
}

/// Counts a request whose token was refused: a token that is no good makes nobody anything else than a stranger.
///
/// # Errors
/// 429.
pub fn count_refused(request: &HttpRequest, state: &State) -> AppResult<()> {
    if !request.headers().contains_key(header::AUTHORIZATION) {
        // Counted when it came in.
        return Ok(());
    }
    take_by_address(request, state, ANONYMOUS, state.limits.anonymous)
}

fn take_by_address(request: &HttpRequest, state: &State, policy: &'static str, limit: Option<Limit>) -> AppResult<()> {
    let Some(limit) = limit else { return Ok(()) };
    let limits = &state.limits;
    let told = limits.take(policy, limit, address(request, limits.trust_forwarded), state.clock.now())?;
    request.extensions_mut().insert(told);
    Ok(())
}
