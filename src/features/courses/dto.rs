//! What comes in and goes out about courses.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::domain::bounds::MAX_DAYS;
use crate::domain::outline::{DeliveryMode, Outline, Style};
use crate::domain::permission::Role;
use crate::error::Faults;
use crate::http::shapes::{AccessCode, ExternalId, LanguageTag, Notes, Shape, Summary, Title};
use crate::http::{Input, Patch};

/// How learners come into a course.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnrollmentPolicy {
    /// Anyone who is logged in.
    #[default]
    Open,
    /// Anyone who knows the access code.
    AccessCode,
    /// Anyone may ask; an instructor approves.
    Approval,
    /// Only by assignment.
    Assigned,
}

impl EnrollmentPolicy {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::AccessCode => "access_code",
            Self::Approval => "approval",
            Self::Assigned => "assigned",
        }
    }
}

/// Where a course is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CourseStatus {
    /// Never published.
    Draft,
    /// Learners can enrol.
    Published,
    /// No new enrollments; those that exist go on.
    Archived,
}

impl CourseStatus {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Published => "published",
            Self::Archived => "archived",
        }
    }
}

/// A new course.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "title": "From the classroom to asynchronous", "summary": "Why and how.", "style": "linear_hurdles", "delivery_mode": "self_paced",
    "language": "en", "enrollment_policy": "open", "issues_certificate": true
}))]
pub struct CourseIn {
    /// 1 to 200 characters.
    #[schema(value_type = Title)]
    pub title: String,
    /// What it is about; up to 5,000 characters.
    #[serde(default)]
    #[schema(value_type = Option<Summary>)]
    pub summary: Option<String>,
    /// Which shape and behaviour the path has.
    pub style: Style,
    /// How it is delivered; `self_paced` when absent.
    #[serde(default)]
    pub delivery_mode: Option<DeliveryMode>,
    /// BCP 47 language tag; `en` when absent.
    #[serde(default)]
    #[schema(value_type = Option<LanguageTag>)]
    pub language: Option<String>,
    /// `open` when absent.
    #[serde(default)]
    pub enrollment_policy: Option<EnrollmentPolicy>,
    /// The code that learners must know; needed by the policy `access_code`.
    #[serde(default)]
    #[schema(value_type = Option<AccessCode>)]
    pub access_code: Option<String>,
    /// Learners at the same time; more wait. No limit when absent.
    #[serde(default)]
    #[schema(minimum = 1)]
    pub seats: Option<i32>,
    /// Whether completion issues a certificate; yes when absent.
    #[serde(default)]
    pub issues_certificate: Option<bool>,
    /// Days for which the certificate is valid, 1 to 36,500; for ever when absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 36_500)]
    pub certificate_valid_days: Option<i32>,
    /// The id that an outside system owns; unique. Paths take it as `ext:<external_id>`.
    #[serde(default)]
    #[schema(value_type = Option<ExternalId>)]
    pub external_id: Option<String>,
}

/// A merge patch of a course.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"seats": 20, "enrollment_policy": "approval"}))]
pub struct CoursePatch {
    /// New title.
    #[serde(default)]
    #[schema(value_type = Title, required = false)]
    pub title: Patch<String>,
    /// New summary.
    #[serde(default)]
    #[schema(value_type = Option<Summary>)]
    pub summary: Patch<String>,
    /// New style; the next publishing checks the draft against it.
    #[serde(default)]
    #[schema(value_type = Style, required = false)]
    pub style: Patch<Style>,
    /// New delivery mode.
    #[serde(default)]
    #[schema(value_type = DeliveryMode, required = false)]
    pub delivery_mode: Patch<DeliveryMode>,
    /// New language.
    #[serde(default)]
    #[schema(value_type = LanguageTag, required = false)]
    pub language: Patch<String>,
    /// New policy.
    #[serde(default)]
    #[schema(value_type = EnrollmentPolicy, required = false)]
    pub enrollment_policy: Patch<EnrollmentPolicy>,
    /// New access code, or null.
    #[serde(default)]
    #[schema(value_type = Option<AccessCode>)]
    pub access_code: Patch<String>,
    /// New number of seats, or null. More seats promote those who wait.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 1)]
    pub seats: Patch<i32>,
    /// Whether completion issues a certificate.
    #[serde(default)]
    #[schema(value_type = bool, required = false)]
    pub issues_certificate: Patch<bool>,
    /// Days for which new certificates are valid, 1 to 36,500, or null.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 36_500)]
    pub certificate_valid_days: Patch<i32>,
    /// New external id, or null.
    #[serde(default)]
    #[schema(value_type = Option<ExternalId>)]
    pub external_id: Patch<String>,
}

/// How to copy a course.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"title": "From the classroom to asynchronous (2027)"}))]
pub struct DuplicateIn {
    /// Title of the copy; "Copy of …" when absent.
    #[serde(default)]
    #[schema(value_type = Option<Title>)]
    pub title: Option<String>,
}

/// A course.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0199c0de-0000-7000-8000-0000000000a1", "external_id": null, "title": "From the classroom to asynchronous",
    "summary": "Why and how.", "style": "linear_hurdles", "delivery_mode": "self_paced", "language": "en",
    "enrollment_policy": "open", "seats": null, "issues_certificate": true, "certificate_valid_days": null, "status": "published",
    "revision": 3, "created_by": null, "created_at": "2026-11-23T09:00:00Z", "updated_at": "2026-11-23T09:00:00Z",
    "published_at": "2026-11-23T09:00:00Z", "archived_at": null
}))]
pub struct CourseOut {
    /// Its id.
    pub id: Uuid,
    /// The outside system's id.
    #[schema(required)]
    pub external_id: Option<String>,
    /// Title.
    pub title: String,
    /// What it is about.
    pub summary: String,
    /// Which shape and behaviour the path has.
    pub style: Style,
    /// How it is delivered.
    pub delivery_mode: DeliveryMode,
    /// BCP 47 language tag.
    pub language: String,
    /// How learners come in.
    pub enrollment_policy: EnrollmentPolicy,
    /// The access code; only shown to staff of the course.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_code: Option<String>,
    /// Learners at the same time.
    #[schema(required)]
    pub seats: Option<i32>,
    /// Whether completion issues a certificate.
    pub issues_certificate: bool,
    /// Days for which certificates are valid.
    #[schema(required)]
    pub certificate_valid_days: Option<i32>,
    /// Where it is in its life.
    pub status: CourseStatus,
    /// Number of the newest revision; null before the first publishing.
    #[schema(required)]
    pub revision: Option<i32>,
    /// Who made it.
    #[schema(required)]
    pub created_by: Option<Uuid>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// When the newest revision was published.
    #[schema(required)]
    pub published_at: Option<DateTime<Utc>>,
    /// When it was archived.
    #[schema(required)]
    pub archived_at: Option<DateTime<Utc>>,
    /// Version for the ETag.
    #[serde(skip)]
    pub version: i64,
}

/// Filters of the list of courses.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CourseQuery {
    /// Items on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
    /// Only courses in this status. Learners see published ones only.
    pub status: Option<CourseStatus>,
    /// Only courses of this style.
    pub style: Option<Style>,
    /// Only courses delivered so.
    pub delivery_mode: Option<DeliveryMode>,
    /// Only courses in this language.
    pub language: Option<String>,
    /// Only courses whose title contains this text, whatever its case.
    pub title: Option<String>,
    /// Only the course with this external id.
    pub external_id: Option<String>,
    /// Only courses changed at or after this instant (RFC 3339).
    pub updated_since: Option<DateTime<Utc>>,
}

/// What to say about a new revision.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"notes": "Shorter introduction."}))]
pub struct PublishIn {
    /// What changed, for people; up to 2,000 characters.
    #[serde(default)]
    #[schema(value_type = Option<Notes>)]
    pub notes: Option<String>,
}

/// A published revision, without its outline.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RevisionOut {
    /// Its id.
    pub id: Uuid,
    /// The course.
    pub course_id: Uuid,
    /// 1, 2, 3, …
    pub revision: i32,
    /// The style it was published with.
    pub style: Style,
    /// How many modules it has.
    pub module_count: i32,
    /// What changed.
    #[schema(required)]
    pub notes: Option<String>,
    /// Who published it.
    #[schema(required)]
    pub published_by: Option<Uuid>,
    /// When.
    pub published_at: DateTime<Utc>,
}

/// A published revision with its outline.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RevisionDetail {
    /// What [`RevisionOut`] says.
    #[serde(flatten)]
    pub revision: RevisionOut,
    /// The outline as it was published.
    pub outline: Outline,
}

/// A revision just published, with what the linter warns of.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Published {
    /// What [`RevisionOut`] says.
    #[serde(flatten)]
    pub revision: RevisionOut,
    /// Warnings; errors would have prevented the publishing.
    pub warnings: Vec<crate::domain::lint::Finding>,
}

/// A page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Items on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
}

/// A role that is held in one course.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StaffRole {
    /// Writes it.
    Author,
    /// Teaches it.
    Instructor,
}

impl From<StaffRole> for Role {
    fn from(role: StaffRole) -> Self {
        match role {
            StaffRole::Author => Self::Author,
            StaffRole::Instructor => Self::Instructor,
        }
    }
}

/// The role of somebody in a course.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"role": "instructor"}))]
pub struct StaffIn {
    /// What the person does in this course.
    pub role: StaffRole,
}

/// Somebody with a role in a course.
#[derive(Debug, Serialize, ToSchema)]
pub struct StaffOut {
    /// Id of the grant.
    pub id: Uuid,
    /// The user.
    pub user_id: Uuid,
    /// The role.
    pub role: Role,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

fn check_positive(number: i32, at: &str, faults: &mut Faults) {
    faults.ensure(number >= 1, at, "out_of_range", "This must be at least 1.");
}

fn check_days(days: i32, at: &str, faults: &mut Faults) {
    let good = u32::try_from(days).is_ok_and(|days| (1..=MAX_DAYS).contains(&days));
    faults.ensure(good, at, "out_of_range", "This must be 1 to 36,500 days.");
}

impl Input for CourseIn {
    fn check(&self, faults: &mut Faults) {
        Title::check(&self.title, "/title", faults);
        Summary::check_option(self.summary.as_ref(), "/summary", faults);
        LanguageTag::check_option(self.language.as_ref(), "/language", faults);
        AccessCode::check_option(self.access_code.as_ref(), "/access_code", faults);
        if self.enrollment_policy == Some(EnrollmentPolicy::AccessCode) {
            faults.ensure(
                self.access_code.is_some(),
                "/access_code",
                "required",
                "The policy access_code needs an access code.",
            );
        }
        if let Some(seats) = self.seats {
            check_positive(seats, "/seats", faults);
        }
        if let Some(days) = self.certificate_valid_days {
            check_days(days, "/certificate_valid_days", faults);
        }
        ExternalId::check_option(self.external_id.as_ref(), "/external_id", faults);
    }
}

impl Input for CoursePatch {
    fn check(&self, faults: &mut Faults) {
        let needed = [
            (self.title == Patch::Null, "/title"),
            (self.style == Patch::Null, "/style"),
            (self.delivery_mode == Patch::Null, "/delivery_mode"),
            (self.language == Patch::Null, "/language"),
            (self.enrollment_policy == Patch::Null, "/enrollment_policy"),
            (self.issues_certificate == Patch::Null, "/issues_certificate"),
        ];
        for (null, at) in needed {
            faults.ensure(!null, at, "required", "This cannot be removed.");
        }
        Title::check_option(self.title.value(), "/title", faults);
        Summary::check_option(self.summary.value(), "/summary", faults);
        LanguageTag::check_option(self.language.value(), "/language", faults);
        AccessCode::check_option(self.access_code.value(), "/access_code", faults);
        if let Some(seats) = self.seats.value() {
            check_positive(*seats, "/seats", faults);
        }
        if let Some(days) = self.certificate_valid_days.value() {
            check_days(*days, "/certificate_valid_days", faults);
        }
        ExternalId::check_option(self.external_id.value(), "/external_id", faults);
    }
}

impl Input for DuplicateIn {
    fn check(&self, faults: &mut Faults) {
        Title::check_option(self.title.as_ref(), "/title", faults);
    }
}

impl Input for PublishIn {
    fn check(&self, faults: &mut Faults) {
        Notes::check_option(self.notes.as_ref(), "/notes", faults);
    }
}

impl Input for StaffIn {}
