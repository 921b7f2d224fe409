//! What comes in and goes out about clients.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

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
}

/// A client.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "client_id": "0199c0de-0000-7000-8000-0000000000c1", "name": "HR", "scopes": ["users:read", "users:write"],
    "auth_method": "client_secret_basic", "state": "active", "last_used_at": null,
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
    /// When it last got a token.
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

/// An access token (RFC 6749 §5.1).
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"access_token": "eyJ0eXAiOiJhdCtqd3Qi…", "token_type": "Bearer", "expires_in": 3600, "scope": "users:read"}))]
pub struct AccessToken {
    /// Send it as `Authorization: Bearer …`.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Seconds for which it is good.
    pub expires_in: u32,
    /// What it allows.
    pub scope: String,
}

impl Input for ClientIn {
    fn check(&self, faults: &mut Faults) {
        Title::check(&self.name, "/name", faults);
    }
}

impl Input for ClientPatch {
    fn check(&self, faults: &mut Faults) {
        for (null, at) in [
            (self.name == Patch::Null, "/name"),
            (self.scopes == Patch::Null, "/scopes"),
            (self.state == Patch::Null, "/state"),
        ] {
            faults.ensure(!null, at, "required", "This cannot be removed.");
        }
        Title::check_option(self.name.value(), "/name", faults);
    }
}
