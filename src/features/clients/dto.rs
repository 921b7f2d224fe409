//! What comes in and goes out about clients.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::auth::jose::KeyRing;
use crate::domain::permission::Scope;
use crate::error::Faults;
use crate::http::shapes::{Shape, Title};
use crate::http::{Input, Patch};

/// How a client proves who it is at the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// Id and secret in the Authorization header (RFC 6749 §2.3.1).
    ClientSecretBasic,
    /// Id and secret in the form.
    ClientSecretPost,
    /// A JWT signed with the client's private key (RFC 7523); its public keys are registered in `jwks`.
    PrivateKeyJwt,
}

impl AuthMethod {
    /// The registered name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }
}

/// Whether a client may get tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientState {
    /// It may.
    Active,
    /// It may not, and its tokens are void at once.
    Disabled,
}

impl ClientState {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }
}

/// A new client.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "HR", "scopes": ["users:read", "users:write"], "auth_method": "client_secret_basic"}))]
pub struct ClientIn {
    /// For people.
    #[schema(value_type = Title)]
    pub name: String,
    /// What its tokens may allow.
    pub scopes: Vec<Scope>,
    /// How it authenticates; `client_secret_basic` when absent.
    #[serde(default)]
    pub auth_method: Option<AuthMethod>,
    /// Public keys as a JWK set (RFC 7517): RSA (RS256, PS256), P-256 (ES256) or Ed25519 (EdDSA). For `private_key_jwt` only.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub jwks: Option<Map<String, Value>>,
}

/// A merge patch of a client.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"state": "disabled"}))]
pub struct ClientPatch {
    /// New name.
    #[serde(default)]
    #[schema(value_type = Title, required = false)]
    pub name: Patch<String>,
    /// New scopes, in force at once also for tokens given out.
    #[serde(default)]
    #[schema(value_type = Vec<Scope>, required = false)]
    pub scopes: Patch<Vec<Scope>>,
    /// New state.
    #[serde(default)]
    #[schema(value_type = ClientState, required = false)]
    pub state: Patch<ClientState>,
    /// The public keys, replacing those registered; keep the old key beside the new one while you roll over.
    #[serde(default)]
    #[schema(value_type = Object, required = false)]
    pub jwks: Patch<Map<String, Value>>,
}

/// A new secret beside the one in use.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"old_expires_in_seconds": 86400}))]
pub struct SecretIn {
    /// Seconds after which the secret in use ends; without it, it counts until it is deleted. 0 ends it at once.
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 31_536_000)]
    pub old_expires_in_seconds: Option<u32>,
}

/// A secret, without itself.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SecretOut {
    /// Its id, to delete it by.
    pub id: Uuid,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends.
    #[schema(required)]
    pub expires_at: Option<DateTime<Utc>>,
    /// The secret; only in the answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
}

/// A client.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "client_id": "0199c0de-0000-7000-8000-0000000000c1", "name": "HR", "scopes": ["users:read", "users:write"],
    "auth_method": "client_secret_basic", "state": "active", "jwks": null, "last_used_at": null,
    "secrets": [{"id": "0199c0de-0000-7000-8000-0000000000c2", "created_at": "2026-11-23T09:00:00Z", "expires_at": null}],
    "created_at": "2026-11-23T09:00:00Z", "updated_at": "2026-11-23T09:00:00Z"
}))]
pub struct ClientOut {
    /// Its id, the user name at the token endpoint.
    pub client_id: Uuid,
    /// For people.
    pub name: String,
    /// What its tokens may allow.
    pub scopes: Vec<Scope>,
    /// How it authenticates.
    pub auth_method: AuthMethod,
    /// Whether it may get tokens.
    pub state: ClientState,
    /// Its secrets that count; at most two.
    pub secrets: Vec<SecretOut>,
    /// Its public keys.
    #[schema(required, value_type = Option<Object>)]
    pub jwks: Option<Value>,
    /// When it last got or used a token, to the minute.
    #[schema(required)]
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// The secret; only in the answer that makes the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// Version for the ETag.
    #[serde(skip)]
    pub version: i64,
}

/// A page of the list of clients.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ClientQuery {
    /// Items on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
}

fn check_jwks(jwks: &Map<String, Value>, faults: &mut Faults) {
    for (at, why) in KeyRing::parse(&Value::Object(jwks.clone())).1 {
        faults.add(format!("/jwks{at}"), "invalid_key", why);
    }
}

impl Input for ClientIn {
    fn check(&self, faults: &mut Faults) {
        Title::check(&self.name, "/name", faults);
        let signs = self.auth_method == Some(AuthMethod::PrivateKeyJwt);
        match &self.jwks {
            None => faults.ensure(!signs, "/jwks", "required", "private_key_jwt needs the client's public keys."),
            Some(jwks) => {
                faults.ensure(signs, "/jwks", "not_allowed", "Only private_key_jwt has keys.");
                check_jwks(jwks, faults);
            }
        }
    }
}

impl Input for ClientPatch {
    fn check(&self, faults: &mut Faults) {
        for (null, at) in [
            (self.name == Patch::Null, "/name"),
            (self.scopes == Patch::Null, "/scopes"),
            (self.state == Patch::Null, "/state"),
            (self.jwks == Patch::Null, "/jwks"),
        ] {
            faults.ensure(!null, at, "required", "This cannot be removed.");
        }
        Title::check_option(self.name.value(), "/name", faults);
        if let Some(jwks) = self.jwks.value() {
            check_jwks(jwks, faults);
        }
    }
}

impl Input for SecretIn {
    fn check(&self, faults: &mut Faults) {
        let good = self.old_expires_in_seconds.is_none_or(|seconds| seconds <= 31_536_000);
        faults.ensure(good, "/old_expires_in_seconds", "out_of_range", "At most a year.");
    }
}
