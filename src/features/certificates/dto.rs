//! What comes in and goes out about certificates.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::error::Faults;
use crate::http::Input;
use crate::http::Ref;
use crate::http::shapes::{NeededRemark, Shape};

/// A certificate.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0199c0de-0000-7000-8000-0000000000f1", "serial": "7Q2M-XK4D-9TRB-W3HN", "user_id": "0199c0de-0000-7000-8000-000000000001",
    "course_id": "0199c0de-0000-7000-8000-0000000000a1", "enrollment_id": "0199c0de-0000-7000-8000-0000000000e1", "holder": "Ada Lovelace",
    "title": "From the classroom to asynchronous", "issued_at": "2026-11-23T10:00:00Z", "expires_at": null, "revoked_at": null,
    "revoke_reason": null, "verify_url": "http://127.0.0.1:8080/verify/7Q2M-XK4D-9TRB-W3HN"
}))]
pub struct CertificateOut {
    /// Its id.
    pub id: Uuid,
    /// Unguessable; whoever has it can verify the certificate.
    pub serial: String,
    /// The holder.
    pub user_id: Uuid,
    /// The course.
    pub course_id: Uuid,
    /// The enrollment that was completed.
    pub enrollment_id: Uuid,
    /// The holder's name at the time of issue.
    pub holder: String,
    /// The course's title at the time of issue.
    pub title: String,
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
    /// Until when it is valid.
    #[schema(required)]
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    #[schema(required)]
    pub revoked_at: Option<DateTime<Utc>>,
    /// Why it was revoked.
    #[schema(required)]
    pub revoke_reason: Option<String>,
    /// Where anyone can verify it.
    pub verify_url: String,
    /// Version for the ETag.
    #[serde(skip)]
    pub version: i64,
}

/// Filters of the list of certificates.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CertificateQuery {
    /// Items on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
    /// Only certificates of this user: an id or `ext:<external_id>`. Learners see their own only.
    #[param(value_type = Option<String>)]
    pub user_id: Option<Ref>,
    /// Only certificates of this course: an id or `ext:<external_id>`.
    #[param(value_type = Option<String>)]
    pub course_id: Option<Ref>,
}

/// Why a certificate is revoked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "Issued by mistake."}))]
pub struct RevokeIn {
    /// For the record and the public page; 1 to 1,000 characters.
    #[schema(value_type = NeededRemark)]
    pub reason: String,
}

impl Input for RevokeIn {
    fn check(&self, faults: &mut Faults) {
        NeededRemark::check(&self.reason, "/reason", faults);
    }
}

/// Whether a certificate is good.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "valid": true, "status": "valid", "serial": "7Q2M-XK4D-9TRB-W3HN", "holder": "Ada Lovelace", "title": "From the classroom to asynchronous",
    "issued_at": "2026-11-23T10:00:00Z", "expires_at": null, "revoked_at": null
}))]
pub struct VerificationOut {
    /// Whether it is good now.
    pub valid: bool,
    /// `valid`, `expired` or `revoked`.
    pub status: &'static str,
    /// Its serial.
    pub serial: String,
    /// The holder's name.
    pub holder: String,
    /// What it certifies.
    pub title: String,
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
    /// Until when it is valid.
    #[schema(required)]
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    #[schema(required)]
    pub revoked_at: Option<DateTime<Utc>>,
}
