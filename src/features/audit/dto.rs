//! What comes in and goes out about the audit log.

use crate::http::Ref;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Something that somebody did or something did to somebody.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0199c0de-0000-7000-8000-0000000000e1", "at": "2026-11-23T09:00:00Z", "action": "enrollment.created",
    "actor": {"kind": "user", "id": "0199c0de-0000-7000-8000-000000000001"}, "via_client_id": "0199c0de-0000-7000-8000-0000000000c1",
    "subject": {"kind": "enrollment", "id": "0199c0de-0000-7000-8000-0000000000a1"}, "user_id": "0199c0de-0000-7000-8000-000000000001",
    "course_id": null, "request_id": "0199c0de-0000-7000-8000-0000000000f1", "data": {}
}))]
pub struct AuditEntry {
    /// The entry's id.
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// What, such as `user.updated`, `session.failed`, `client.token_issued`.
    pub action: String,
    /// Who.
    pub actor: Party,
    /// The client that acted as the user, after a token exchange.
    #[schema(required)]
    pub via_client_id: Option<Uuid>,
    /// What it happened to.
    pub subject: Party,
    /// Whom it is about.
    #[schema(required)]
    pub user_id: Option<Uuid>,
    /// The course it belongs to.
    #[schema(required)]
    pub course_id: Option<Uuid>,
    /// The request that did it.
    #[schema(required)]
    pub request_id: Option<String>,
    /// Details.
    #[schema(value_type = Object)]
    pub data: Value,
}

/// A user, client or resource.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Party {
    /// What it is; `system` is Cairn itself.
    pub kind: String,
    /// Which.
    #[schema(required)]
    pub id: Option<Uuid>,
}

/// Filters of the audit log.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Items on a page, 1 to 200; 50 when absent. An export has no pages.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
    /// Only what this user or client did: an id, or `ext:<external_id>` of a user.
    #[param(value_type = Option<String>)]
    pub actor: Option<Ref>,
    /// Only what this client did as a user.
    pub via_client_id: Option<Uuid>,
    /// Only what happened to this resource.
    pub subject: Option<Uuid>,
    /// Only what is about this person: an id or `ext:<external_id>`.
    #[param(value_type = Option<String>)]
    pub user_id: Option<Ref>,
    /// Only this action, such as `session.failed`.
    pub action: Option<String>,
    /// Only at or after this instant (RFC 3339).
    pub from: Option<DateTime<Utc>>,
    /// Only before this instant (RFC 3339).
    pub until: Option<DateTime<Utc>>,
}
