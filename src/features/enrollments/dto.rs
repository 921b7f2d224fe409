//! What comes in and goes out about enrollments.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::domain::learning::Happening;
use crate::domain::outline::{ModuleKind, Role, Style};
use crate::domain::path::{NextStep, Progress, StagePath, State};
use crate::domain::upgrade::Dropped;
use crate::error::Faults;
use crate::http::Input;
use crate::http::Ref;
use crate::http::shapes::{Remark, Shape, UserRef};

/// Where an enrollment is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = EnrollmentStatus)]
pub enum Status {
    /// No seat is free yet.
    Waitlisted,
    /// Waits for approval.
    Pending,
    /// Learning.
    Active,
    /// Done.
    Completed,
    /// Left, or was refused.
    Withdrawn,
    /// Ran out of time.
    Expired,
}

impl Status {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waitlisted => "waitlisted",
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Completed => "completed",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }
}

/// Whom to enrol.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub struct EnrollIn {
    /// Id or `ext:<external_id>` of the learner; the caller when absent.
    #[serde(default)]
    #[schema(value_type = Option<UserRef>)]
    pub user_id: Option<String>,
    /// The code, for courses with the policy `access_code`.
    #[serde(default)]
    pub access_code: Option<String>,
    /// When the learner's cohort begins, for releases; only staff may set it.
    #[serde(default)]
    pub cohort_start_at: Option<DateTime<Utc>>,
    /// When the enrollment ends by itself; only staff may set it.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
}

impl Input for EnrollIn {
    fn check(&self, faults: &mut Faults) {
        UserRef::check_option(self.user_id.as_ref(), "/user_id", faults);
    }
}

/// One learner and one course.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"course_id": "ext:safety-101", "user_id": "ext:hr-17"}))]
pub struct EnrollItem {
    /// Id or `ext:<external_id>` of the course.
    pub course_id: String,
    /// Id or `ext:<external_id>` of the learner.
    pub user_id: String,
    /// When the learner's cohort begins, for releases.
    #[serde(default)]
    pub cohort_start_at: Option<DateTime<Utc>>,
    /// When the enrollment ends by itself.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
}

impl Input for EnrollItem {
    fn check(&self, faults: &mut Faults) {
        for (text, at) in [(&self.course_id, "/course_id"), (&self.user_id, "/user_id")] {
            faults.ensure(
                crate::http::Ref::parse(text).is_some(),
                at,
                "wrong_format",
                "This is neither an id nor ext:<external_id>.",
            );
        }
    }
}

/// Many learners and courses.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"enrollments": [{"course_id": "ext:safety-101", "user_id": "ext:hr-17"}, {"course_id": "ext:safety-101", "user_id": "ext:hr-18"}]}))]
pub struct EnrollmentBulkIn {
    /// At most 1,000.
    #[schema(value_type = Vec<EnrollItem>)]
    pub enrollments: Vec<Value>,
}

impl Input for EnrollmentBulkIn {
    fn check(&self, faults: &mut Faults) {
        crate::http::bulk::check_count(self.enrollments.len(), "/enrollments", faults);
    }
}

/// An enrollment.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0199c0de-0000-7000-8000-0000000000e1", "course_id": "0199c0de-0000-7000-8000-0000000000a1",
    "user_id": "0199c0de-0000-7000-8000-000000000001", "revision": 1, "generation": 1, "status": "active", "source": "self",
    "enrolled_by": null, "progress": {"percent": 42.86, "done_weight": 3.0, "total_weight": 7.0}, "cohort_start_at": null,
    "enrolled_at": "2026-11-23T09:00:00Z", "started_at": "2026-11-23T09:01:00Z", "completed_at": null, "ended_at": null,
    "expires_at": null, "last_activity_at": "2026-11-23T09:30:00Z", "created_at": "2026-11-23T09:00:00Z", "updated_at": "2026-11-23T09:30:00Z"
}))]
pub struct EnrollmentOut {
    /// Its id.
    pub id: Uuid,
    /// The course.
    pub course_id: Uuid,
    /// The learner.
    pub user_id: Uuid,
    /// Number of the revision that it is pinned to.
    pub revision: i32,
    /// 1 for the first time in this course, 2 for the second, …
    pub generation: i32,
    /// Where it is in its life.
    pub status: Status,
    /// How it came about: `self`, `assigned`, `group` or `rule`.
    pub source: String,
    /// Who assigned it.
    #[schema(required)]
    pub enrolled_by: Option<Uuid>,
    /// 1 for the first in line; only when waitlisted, and not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waitlist_position: Option<i64>,
    /// The weighted share that is done. What time alone or a change of the learner brings about stands here, and completes the course,
    /// within seconds.
    pub progress: Progress,
    /// When the learner's cohort begins.
    #[schema(required)]
    pub cohort_start_at: Option<DateTime<Utc>>,
    /// When learning could begin.
    pub enrolled_at: DateTime<Utc>,
    /// When the first module was begun.
    #[schema(required)]
    pub started_at: Option<DateTime<Utc>>,
    /// When the course was completed.
    #[schema(required)]
    pub completed_at: Option<DateTime<Utc>>,
    /// When it was withdrawn or expired.
    #[schema(required)]
    pub ended_at: Option<DateTime<Utc>>,
    /// When it ends by itself.
    #[schema(required)]
    pub expires_at: Option<DateTime<Utc>>,
    /// Newest learning event.
    #[schema(required)]
    pub last_activity_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Version for the ETag.
    #[serde(skip)]
    pub version: i64,
}

/// Filters of the lists of enrollments.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EnrollmentQuery {
    /// Items on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
    /// Only enrollments of this learner: an id or `ext:<external_id>`. Learners see their own only.
    #[param(value_type = Option<String>)]
    pub user_id: Option<Ref>,
    /// Only enrollments in this course: an id or `ext:<external_id>`.
    #[param(value_type = Option<String>)]
    pub course_id: Option<Ref>,
    /// Only enrollments in this status.
    pub status: Option<Status>,
    /// Only enrollments changed at or after this instant (RFC 3339).
    pub updated_since: Option<DateTime<Utc>>,
}

/// Where a learner stands; `as_of` a past instant when given.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AsOf {
    /// A past instant (RFC 3339): the enrollment as it was then, by what is known of it today. Its status changed when the server knew
    /// why: an event that is sent late counts from its own time, and completes the course when it comes in.
    pub as_of: Option<DateTime<Utc>>,
}

/// Where a learner stands, module by module, with the reasons for every lock.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "enrollment_id": "0199c0de-0000-7000-8000-000000000004", "course_id": "0199c0de-0000-7000-8000-000000000002", "revision": 3,
    "style": "linear_hurdles", "status": "active", "progress": {"percent": 42.86, "done_weight": 3.0, "total_weight": 7.0},
    "stages": [{"key": "start", "kind": "sequence", "state": "in_progress", "modules": [
        {"key": "welcome", "title": "Welcome", "kind": "video", "role": "core", "state": "completed", "counts": true, "weight": 1.0,
         "resume_at_seconds": 300.0, "score_percent": null},
        {"key": "check", "title": "What do you know?", "kind": "quiz", "role": "hurdle", "state": "locked", "counts": true, "weight": 1.0,
         "resume_at_seconds": null, "score_percent": 40.0,
         "reasons": [{"leaf": "module", "key": "welcome", "required": "completed", "actual": "failed_hurdle_review", "met": false}],
         "actions": [{"do": "complete_module", "module": "welcome"}], "opens_at": null}]}],
    "next": [{"module": "welcome", "reason": "remedial", "autoplay": false}]
}))]
pub struct PathOut<'a> {
    /// The enrollment.
    pub enrollment_id: Uuid,
    /// The course.
    pub course_id: Uuid,
    /// The revision it is pinned to.
    pub revision: i32,
    /// The course's style.
    pub style: Style,
    /// Where the enrollment is in its life.
    pub status: Status,
    /// The weighted share that is done.
    pub progress: Progress,
    /// The stages.
    pub stages: Vec<StagePath<'a>>,
    /// What to do next, in order; empty once the course is complete, also when something optional was begun.
    pub next: Vec<NextStep>,
}

/// What to do next, in order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"items": [{"module": "welcome", "reason": "continue", "autoplay": false},
    {"stage": "tracks", "branches": ["case", "simulation"], "reason": "choose_branch"}]}))]
pub struct NextOut {
    /// The steps.
    pub items: Vec<NextStep>,
}

/// A module with its content, as the learner gets it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModuleOut {
    /// Its key.
    pub key: String,
    /// For people.
    pub title: String,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// What it is.
    pub kind: ModuleKind,
    /// What part it plays.
    pub role: Role,
    /// How it stands.
    pub state: State,
    /// The content; of a quiz without its items, which come with an attempt.
    #[schema(value_type = Object)]
    pub content: Value,
    /// What completes it.
    pub completion: crate::domain::outline::Completion,
    /// Where the learner was last in a video.
    #[schema(required)]
    pub resume_at_seconds: Option<f64>,
    /// Share of the video that was seen, 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watched_percent: Option<f64>,
    /// The counted score.
    #[schema(required)]
    pub score_percent: Option<f64>,
    /// Attempts finished.
    pub attempts: u32,
    /// When it was begun.
    #[schema(required)]
    pub started_at: Option<DateTime<Utc>>,
    /// When it was completed.
    #[schema(required)]
    pub completed_at: Option<DateTime<Utc>>,
}

macro_rules! event_types {
    ($($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $fdoc:literal])+ $field:ident: f64,)* })+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
            #[serde(deny_unknown_fields)]
            pub struct $name {
                /// Chosen by the client; the same id again is a duplicate and changes nothing.
                pub id: Uuid,
                /// Key of the module.
                pub module: String,
                $($(#[doc = $fdoc])+ pub $field: f64,)*
                /// When it happened (RFC 3339); now when absent.
                #[serde(default)]
                pub at: Option<DateTime<Utc>>,
            }
        )+
    };
}

event_types! {
    /// The learner opened the module.
    OpenedEvent {}
    /// The learner watched a part of the video.
    WatchedEvent {
        /// From this second of the video.
        from_seconds: f64,
        /// To this second of the video.
        to_seconds: f64,
    }
    /// The learner is at this second.
    PositionEvent {
        /// Where.
        seconds: f64,
    }
    /// The learner spent some time in the module.
    TimeSpentEvent {
        /// How long.
        seconds: f64,
    }
    /// The learner says that the module is done.
    MarkedDoneEvent {}
}

/// Something that a learner did, as their player or app reports it.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[schema(example = json!({"id": "7d9f5c0e-8f7e-4c8e-9d1e-0a4f5a3b2c1d", "type": "watched", "module": "welcome", "from_seconds": 0, "to_seconds": 42.5, "at": "2026-11-23T09:00:00Z"}))]
pub enum EventIn {
    /// The learner opened the module.
    Opened(OpenedEvent),
    /// The learner watched a part of the video.
    Watched(WatchedEvent),
    /// The learner is at this second.
    Position(PositionEvent),
    /// The learner spent some time in the module.
    TimeSpent(TimeSpentEvent),
    /// The learner says that the module is done.
    MarkedDone(MarkedDoneEvent),
}

impl EventIn {
    /// Id, module key, time and what happened.
    #[must_use]
    pub fn parts(&self) -> (Uuid, &str, Option<DateTime<Utc>>, Happening) {
        match self {
            Self::Opened(e) => (e.id, &e.module, e.at, Happening::Opened),
            Self::Watched(e) => {
                (e.id, &e.module, e.at, Happening::Watched { from_seconds: e.from_seconds, to_seconds: e.to_seconds })
            }
            Self::Position(e) => (e.id, &e.module, e.at, Happening::Position { seconds: e.seconds }),
            Self::TimeSpent(e) => (e.id, &e.module, e.at, Happening::TimeSpent { seconds: e.seconds }),
            Self::MarkedDone(e) => (e.id, &e.module, e.at, Happening::MarkedDone),
        }
    }
}

/// Several learning events.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventBatch {
    /// 1 to 500 events, in any order. Each is read by itself, so that one that cannot be read does not hold up the others: its verdict
    /// is `rejected`. A verdict is told by the event's id, so an event whose id is missing or no UUID makes the whole call 422, and
    /// none of them counts.
    #[schema(min_items = 1, max_items = 500, value_type = Vec<EventIn>)]
    pub events: Vec<Value>,
}

impl Input for EventIn {}

/// One learning event, or several.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(example = json!({"events": [
    {"id": "7d9f5c0e-8f7e-4c8e-9d1e-0a4f5a3b2c1d", "type": "watched", "module": "welcome", "from_seconds": 0, "to_seconds": 42.5, "at": "2026-11-23T09:00:00Z"},
    {"id": "7d9f5c0e-8f7e-4c8e-9d1e-0a4f5a3b2c1e", "type": "opened", "module": "reading"}
]}))]
pub enum EventsIn {
    /// Several.
    Batch(EventBatch),
    /// One.
    One(EventIn),
}

/// Events in one batch at most.
pub const MAX_EVENTS: usize = 500;

impl Input for EventsIn {
    const APART: Option<&'static str> = Some("/events/");

    fn check(&self, faults: &mut Faults) {
        if let Self::Batch(batch) = self {
            let good = (1..=MAX_EVENTS).contains(&batch.events.len());
            faults.ensure(good, "/events", "length", "A batch has 1 to 500 events.");
        }
    }
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventStatus {
    /// It counts.
    Applied,
    /// It was known already.
    Duplicate,
    /// It does not count; `error` says why.
    Rejected,
}

/// The verdict on an event.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EventResult {
    /// The event.
    pub id: Uuid,
    /// What became of it.
    pub status: EventStatus,
    /// Why it was rejected: `code`, `detail`, and the `reasons` of a locked module.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub error: Option<Value>,
}

/// How the enrollment stands now, in short.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EnrollmentBrief {
    /// The enrollment.
    pub id: Uuid,
    /// Where it is in its life.
    pub status: Status,
    /// The weighted share that is done.
    pub progress: Progress,
}

/// What learning events brought about.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "results": [{"id": "7d9f5c0e-8f7e-4c8e-9d1e-0a4f5a3b2c1d", "status": "applied"}],
    "enrollment": {"id": "0199c0de-0000-7000-8000-0000000000e1", "status": "active", "progress": {"percent": 14.29, "done_weight": 1.0, "total_weight": 7.0}},
    "next": [{"module": "check", "reason": "hurdle", "autoplay": false}], "certificate_id": null
}))]
pub struct EventsOut {
    /// The verdicts, in the order in which the events were sent.
    pub results: Vec<EventResult>,
    /// How the enrollment stands now.
    pub enrollment: EnrollmentBrief,
    /// What to do next.
    pub next: Vec<NextStep>,
    /// The certificate that a completed enrollment holds, whichever call completed it; null where there is none.
    #[schema(required)]
    pub certificate_id: Option<Uuid>,
}

/// What an act brought about.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ActOut {
    /// How the enrollment stands now.
    pub enrollment: EnrollmentBrief,
    /// What to do next.
    pub next: Vec<NextStep>,
    /// The certificate that a completed enrollment holds, whichever call completed it; null where there is none.
    #[schema(required)]
    pub certificate_id: Option<Uuid>,
}

/// A branch to choose.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"stage": "tracks", "branch": "a"}))]
pub struct ChoiceIn {
    /// Key of the stage.
    pub stage: String,
    /// Key of the branch.
    pub branch: String,
}

impl Input for ChoiceIn {}

/// The module need not be done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WaiveOverride {
    /// Why, for the record; up to 1,000 characters.
    #[serde(default)]
    #[schema(value_type = Option<Remark>)]
    pub reason: Option<String>,
}

/// The module is open whatever stands before it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnlockOverride {
    /// Why, for the record; up to 1,000 characters.
    #[serde(default)]
    #[schema(value_type = Option<Remark>)]
    pub reason: Option<String>,
}

/// More attempts at a quiz.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtraAttemptsOverride {
    /// How many attempts more, 1 to 100.
    #[schema(minimum = 1, maximum = 100)]
    pub attempts: u32,
    /// Why, for the record; up to 1,000 characters.
    #[serde(default)]
    #[schema(value_type = Option<Remark>)]
    pub reason: Option<String>,
}

/// An exception for a learner.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(example = json!({"kind": "extra_attempts", "attempts": 1, "reason": "The power failed."}))]
pub enum OverrideIn {
    /// The module need not be done.
    Waive(WaiveOverride),
    /// The module is open whatever stands before it.
    Unlock(UnlockOverride),
    /// More attempts at a quiz.
    ExtraAttempts(ExtraAttemptsOverride),
}

impl OverrideIn {
    /// The reason given.
    #[must_use]
    pub fn reason(&self) -> Option<&String> {
        match self {
            Self::Waive(w) => w.reason.as_ref(),
            Self::Unlock(u) => u.reason.as_ref(),
            Self::ExtraAttempts(e) => e.reason.as_ref(),
        }
    }
}

impl Input for OverrideIn {
    fn check(&self, faults: &mut Faults) {
        if let Self::ExtraAttempts(extra) = self {
            let good = (1..=100).contains(&extra.attempts);
            faults.ensure(good, "/attempts", "out_of_range", "1 to 100 attempts can be granted at once.");
        }
        Remark::check_option(self.reason(), "/reason", faults);
    }
}

/// Why an instructor completes a module.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "Shown in class."}))]
pub struct CompleteIn {
    /// For the record; up to 1,000 characters.
    #[serde(default)]
    #[schema(value_type = Option<Remark>)]
    pub reason: Option<String>,
}

impl Input for CompleteIn {
    fn check(&self, faults: &mut Faults) {
        Remark::check_option(self.reason.as_ref(), "/reason", faults);
    }
}

/// Where to move an enrollment.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"revision": 2}))]
pub struct UpgradeIn {
    /// Number of the newer revision; the newest when absent.
    #[serde(default)]
    pub revision: Option<i32>,
    /// Only tell what would happen; change nothing.
    #[serde(default)]
    pub dry_run: bool,
}

impl Input for UpgradeIn {}

/// What went along to the newer revision, and what did not.
#[derive(Debug, Serialize, ToSchema)]
pub struct UpgradeOut {
    /// The enrollment as it is, or with `dry_run` would be.
    pub enrollment: EnrollmentBrief,
    /// The revision before.
    pub from_revision: i32,
    /// The revision after.
    pub to_revision: i32,
    /// Keys of modules whose progress went along.
    pub carried: Vec<String>,
    /// Progress that could not go along, and why.
    pub dropped: Vec<Dropped>,
    /// What to do next.
    pub next: Vec<NextStep>,
    /// The certificate that a completed enrollment holds, whichever call completed it; null where there is none. With `dry_run`
    /// none is issued; that the enrollment would be `completed` tells that one would be where the course gives any.
    #[schema(required)]
    pub certificate_id: Option<Uuid>,
}
