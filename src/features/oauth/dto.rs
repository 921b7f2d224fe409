//! What goes in and out at the OAuth endpoints: forms, and answers as the RFCs name them.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// An access token (RFC 6749 §5.1, RFC 8693 §2.2.1).
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"access_token": "eyJ0eXAiOiJhdCtqd3Qi…", "token_type": "Bearer", "expires_in": 900, "scope": "users:read"}))]
pub struct AccessToken {
    /// Send it as `Authorization: Bearer …`.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Seconds for which it is good.
    pub expires_in: i64,
    /// What it allows.
    pub scope: String,
    /// The kind of token, after a token exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_token_type: Option<&'static str>,
}

/// What is known of a token (RFC 7662 §2.2). Only `active` when it does not count.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(example = json!({"active": true, "token_type": "Bearer", "scope": "users:read", "client_id": "0199c0de-0000-7000-8000-0000000000c1",
    "sub": "0199c0de-0000-7000-8000-0000000000c1", "exp": 1764000000, "iat": 1763999100}))]
pub struct Introspection {
    /// Whether the token counts just now.
    pub active: bool,
    /// `Bearer`, or `refresh_token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<&'static str>,
    /// What it allows, for clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The client that got it; `cairn` for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// User or client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<Uuid>,
    /// Its audience.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    /// Its issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<Uuid>,
    /// Expiry, seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// Issue, seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// The client that acts for the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub act: Option<serde_json::Value>,
}

/// An error of the OAuth endpoints (RFC 6749 §5.2).
#[derive(Debug)]
pub struct OAuthError {
    /// The registered name.
    pub error: &'static str,
    /// For people.
    pub description: String,
    /// The HTTP status.
    pub status: u16,
}

impl OAuthError {
    /// An error of this name.
    pub fn new(error: &'static str, description: impl Into<String>) -> Self {
        // Who is refused as a client is told 401, whose request is wrong 400 (RFC 6749 §5.2).
        Self { error, description: description.into(), status: if error == "invalid_client" { 401 } else { 400 } }
    }

    /// The client itself is refused; it does not learn by which of its mistakes.
    pub fn client(description: &str) -> Self {
        Self::new("invalid_client", description)
    }
}

/// Outside: the server's own failure. Inside: the client's.
pub type OAuthResult<T> = Result<Result<T, OAuthError>, crate::error::AppError>;

/// The parameters of a form, each at most once but those that name services.
#[derive(Debug, Default)]
pub struct Form(pub Vec<(String, String)>);

impl Form {
    /// A parameter; an empty one counts as absent (RFC 6749 §3.2).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// All values of a parameter.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, value)| n == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }
}

/// How a client proved, or tries to prove, who it is.
#[derive(Debug)]
pub enum Credentials {
    /// By the Authorization header.
    Basic(String, String),
    /// By the form.
    Post(String, String),
    /// By an assertion (RFC 7523), with the `client_id` of the form if there is one.
    Assertion(String, Option<String>),
}
