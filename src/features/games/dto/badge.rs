//! Badges.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::condition::Condition;
use crate::domain::game::Revocation;
use crate::domain::game::badge::Criteria;
use crate::domain::game::deeds::BadgeEvent;
use crate::domain::game::image::Design;
use crate::error::Faults;
use crate::features::games::service::badges::check_reason;
use crate::http::shapes::{Shape, Summary, Title};
use crate::http::{Input, Patch};

/// A new badge. Without `criteria` and `award_on` it is given by hand, by automation rules or as a prize.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "title": "Ten modules", "criteria": {"rules": [{"rule": "module.completed", "times": 10}]},
    "design": {"shape": "hexagon", "symbol": "book", "color": "#0f766e", "accent": "#fde68a"}
}))]
pub struct BadgeIn {
    /// 1 to 200 characters.
    #[schema(value_type = Title)]
    pub title: String,
    /// What it is for; up to 5,000 characters.
    #[serde(default)]
    #[schema(value_type = Option<Summary>)]
    pub description: Option<String>,
    /// How it looks.
    #[serde(default)]
    pub design: Option<Design>,
    /// Who has all of this gets it.
    #[serde(default)]
    pub criteria: Option<Criteria>,
    /// An event that earns it, such as `quiz.passed`.
    #[serde(default)]
    #[schema(value_type = Option<BadgeEvent>)]
    pub award_on: Option<String>,
    /// Only when this holds of the event and the player.
    #[serde(default)]
    pub award_where: Option<Condition>,
    /// What becomes of it when its cause is corrected; `revoke` when absent.
    #[serde(default)]
    pub revocation: Option<Revocation>,
}

impl Input for BadgeIn {
    fn check(&self, faults: &mut Faults) {
        Title::check(&self.title, "/title", faults);
        Summary::check_option(self.description.as_ref(), "/description", faults);
    }
}

/// A merge patch of a badge.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"title": "Twelve modules"}))]
pub struct BadgePatch {
    /// New title.
    #[serde(default)]
    #[schema(value_type = Title, required = false)]
    pub title: Patch<String>,
    /// New description.
    #[serde(default)]
    #[schema(value_type = Summary, required = false)]
    pub description: Patch<String>,
    /// New design, or null for the plain one.
    #[serde(default)]
    #[schema(value_type = Option<Design>)]
    pub design: Patch<Design>,
    /// New criteria, or null.
    #[serde(default)]
    #[schema(value_type = Option<Criteria>)]
    pub criteria: Patch<Criteria>,
    /// New event, or null.
    #[serde(default)]
    #[schema(value_type = Option<BadgeEvent>)]
    pub award_on: Patch<String>,
    /// New condition, or null.
    #[serde(default)]
    #[schema(value_type = Option<Condition>)]
    pub award_where: Patch<Condition>,
    /// New policy.
    #[serde(default)]
    #[schema(value_type = Revocation, required = false)]
    pub revocation: Patch<Revocation>,
}

impl Input for BadgePatch {
    fn check(&self, faults: &mut Faults) {
        let needed = [
            (self.title == Patch::Null, "/title"),
            (self.description == Patch::Null, "/description"),
            (self.revocation == Patch::Null, "/revocation"),
        ];
        for (_, at) in needed.into_iter().filter(|(null, _)| *null) {
            faults.add(at, "required", "This cannot be removed.");
        }
        Title::check_option(self.title.value(), "/title", faults);
        Summary::check_option(self.description.value(), "/description", faults);
    }
}

/// A badge.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0199c0de-0000-7000-8000-00000000e001", "game_id": "0199c0de-0000-7000-8000-00000000a001", "title": "Ten modules",
    "description": "", "design": {"shape": "hexagon", "symbol": "book", "color": "#0f766e", "accent": "#fde68a"},
    "criteria": {"rules": [{"rule": "module.completed", "times": 10}]}, "award_on": null, "award_where": null, "revocation": "revoke",
    "image_url": "/v1/badges/0199c0de-0000-7000-8000-00000000e001/image.svg", "created_at": "2026-11-24T09:00:00Z",
    "updated_at": "2026-11-24T09:00:00Z"
}))]
pub struct BadgeOut {
    /// Its id.
    pub id: Uuid,
    /// The game.
    pub game_id: Uuid,
    /// Title.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// How it looks.
    pub design: Design,
    /// Who has all of this gets it.
    #[schema(required)]
    pub criteria: Option<Criteria>,
    /// An event that earns it.
    #[schema(required, value_type = Option<BadgeEvent>)]
    pub award_on: Option<String>,
    /// What must hold of that event and the player.
    #[schema(required)]
    pub award_where: Option<Condition>,
    /// What becomes of it when its cause is corrected.
    pub revocation: Revocation,
    /// Path of its image, which needs no log-in.
    pub image_url: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Version for the ETag.
    #[serde(skip)]
    pub version: i64,
}

/// Who gets a badge by hand.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"user_id": "0199c0de-0000-7000-8000-000000000001", "reason": "Helped everybody."}))]
pub struct AwardBadgeIn {
    /// An id or `ext:<external_id>`.
    pub user_id: String,
    /// Why; 1 to 1,000 characters.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: Option<String>,
}

impl Input for AwardBadgeIn {
    fn check(&self, faults: &mut Faults) {
        if let Some(reason) = &self.reason {
            check_reason(reason, faults);
        }
    }
}

/// Why a badge is taken back.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "Given by mistake."}))]
pub struct RevokeBadgeIn {
    /// 1 to 1,000 characters.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
}

impl Input for RevokeBadgeIn {
    fn check(&self, faults: &mut Faults) {
        check_reason(&self.reason, faults);
    }
}

/// What gave a badge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AwardSource {
    /// The event of `award_on`.
    Event,
    /// The criteria are met.
    Criteria,
    /// It went with a prize.
    Prize,
    /// An automation rule.
    Rule,
    /// Somebody, by hand.
    Hand,
}

/// Whether a badge that was awarded is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AwardState {
    /// It is.
    Held,
    /// It is, but its cause was corrected, and somebody is asked.
    Review,
    /// It was taken back.
    Revoked,
}

/// A badge that somebody was awarded.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0199c0de-0000-7000-8000-00000000f001", "badge_id": "0199c0de-0000-7000-8000-00000000e001",
    "game_id": "0199c0de-0000-7000-8000-00000000a001", "user_id": "0199c0de-0000-7000-8000-000000000001", "source": "criteria",
    "reason": "The criteria are met.", "event_id": null, "awarded_by": null, "awarded_at": "2026-11-24T10:00:00Z", "state": "held",
    "revoked_at": null, "revoke_reason": null
}))]
pub struct BadgeAwardOut {
    /// Its id.
    pub id: Uuid,
    /// The badge.
    pub badge_id: Uuid,
    /// The game.
    pub game_id: Uuid,
    /// Who holds it.
    pub user_id: Uuid,
    /// What gave it.
    #[schema(value_type = AwardSource)]
    pub source: String,
    /// Why, for people.
    pub reason: String,
    /// The event that caused it.
    #[schema(required)]
    pub event_id: Option<Uuid>,
    /// Who gave it by hand.
    #[schema(required)]
    pub awarded_by: Option<Uuid>,
    /// When.
    pub awarded_at: DateTime<Utc>,
    /// Whether it is held.
    #[schema(value_type = AwardState)]
    pub state: String,
    /// When it was taken back.
    #[schema(required)]
    pub revoked_at: Option<DateTime<Utc>>,
    /// Why.
    #[schema(required)]
    pub revoke_reason: Option<String>,
}
