//! What comes in and goes out about sessions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::Faults;
use crate::http::Input;

/// E-mail and password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "admin@example.org", "password": "correct-horse-battery-staple"}))]
pub struct Login {
    /// The user's e-mail, whatever its case.
    #[schema(min_length = 1, max_length = 254, pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub email: String,
    /// The user's password.
    #[schema(min_length = 1)]
    pub password: String,
}

/// A refresh token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"refresh_token": "q5mOAtN1…"}))]
pub struct Refresh {
    /// The token from the last answer; each works once.
    pub refresh_token: String,
}

/// Tokens of a session (the names are those of RFC 6749 §5.1).
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"access_token": "eyJ0eXAiOiJhdCtqd3Qi…", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "q5mOAtN1…"}))]
pub struct Tokens {
    /// Send it as `Authorization: Bearer …`.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Seconds for which the access token is good.
    pub expires_in: u32,
    /// Exchange it at `POST /v1/sessions/refresh` for new tokens; works once.
    pub refresh_token: String,
}

impl Input for Login {
    fn check(&self, faults: &mut Faults) {
        faults.ensure(!self.email.trim().is_empty(), "/email", "required", "The e-mail is needed.");
        faults.ensure(!self.password.is_empty(), "/password", "required", "The password is needed.");
    }
}
impl Input for Refresh {}
