//! What comes in and goes out about personal data.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::Faults;
use crate::http::Input;

/// Everything held on a person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "user_id": "0199c0de-0000-7000-8000-000000000001", "exported_at": "2026-11-23T09:00:00Z",
    "data": {"users": [{"id": "0199c0de-0000-7000-8000-000000000001", "email": "ada@example.org", "given_name": "Ada"}], "enrollments": []}
}))]
pub struct PersonalData {
    /// The person.
    pub user_id: Uuid,
    /// When this was put together.
    pub exported_at: DateTime<Utc>,
    /// Rows about the person by the kind of record, without passwords and secrets.
    #[schema(value_type = Object)]
    pub data: Map<String, Value>,
}

/// The wish to erase, said twice.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"confirm": "0199c0de-0000-7000-8000-000000000001"}))]
pub struct EraseIn {
    /// The user's id once more, so that no slip of the hand erases anybody.
    pub confirm: Uuid,
}

/// What was erased.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"user_id": "0199c0de-0000-7000-8000-000000000001", "erased_at": "2026-11-23T09:00:00Z", "already_erased": false}))]
pub struct Erased {
    /// The person.
    pub user_id: Uuid,
    /// When it was done first.
    pub erased_at: DateTime<Utc>,
    /// True when it was done before, and nothing was left to do.
    pub already_erased: bool,
}

impl Input for EraseIn {
    fn check(&self, _: &mut Faults) {}
}
