//! Ledger, levels, preferences, flags.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::domain::game::Display;
use crate::domain::game::settings::MAX_POINTS;
use crate::error::Faults;
use crate::features::games::service::badges::check_reason;
use crate::http::{Input, Patch, Ref};

/// Where a ledger entry comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A point rule of the game.
    Rule,
    /// Another part of Cairn, such as an automation rule.
    Award,
    /// A correction by hand.
    Correction,
    /// Another entry taken back.
    Reversal,
    /// A replay of changed rules.
    Replay,
}

impl EntryKind {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Award => "award",
            Self::Correction => "correction",
            Self::Reversal => "reversal",
            Self::Replay => "replay",
        }
    }
}

/// Filters of the ledger.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LedgerQuery {
    /// Items on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
    /// Only entries of this user: an id or `ext:<external_id>`. Players see their own only.
    #[param(value_type = Option<String>)]
    pub user_id: Option<Ref>,
    /// Only entries that count for this team.
    pub team_id: Option<Uuid>,
    /// Only entries that come from here.
    pub kind: Option<EntryKind>,
}

/// An entry of the ledger; it never changes.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0199c0de-0000-7000-8000-00000000b001", "game_id": "0199c0de-0000-7000-8000-00000000a001",
    "user_id": "0199c0de-0000-7000-8000-000000000001", "team_id": null, "points": 10, "kind": "rule", "rule": "module.completed",
    "reason": "module.completed welcome", "event_id": "0199c0de-0000-7000-8000-00000000c001", "corrects_id": null, "made_by": null,
    "at": "2026-11-24T10:00:00Z", "created_at": "2026-11-24T10:00:00Z"
}))]
pub struct EntryOut {
    /// Its id.
    pub id: Uuid,
    /// The game.
    pub game_id: Uuid,
    /// Whose points.
    pub user_id: Uuid,
    /// The team held when they were earned.
    #[schema(required)]
    pub team_id: Option<Uuid>,
    /// How many; negative ones take away.
    pub points: i64,
    /// Where it comes from.
    #[schema(value_type = EntryKind)]
    pub kind: String,
    /// Key of the point rule.
    #[schema(required)]
    pub rule: Option<String>,
    /// Why, for people.
    pub reason: String,
    /// The event that caused it.
    #[schema(required)]
    pub event_id: Option<Uuid>,
    /// The entry that it takes back or corrects.
    #[schema(required)]
    pub corrects_id: Option<Uuid>,
    /// Who made it by hand.
    #[schema(required)]
    pub made_by: Option<Uuid>,
    /// The instant that it counts for; that of the entry which it corrects, if it does.
    pub at: DateTime<Utc>,
    /// When it was written; of what was taken back because its cause was undone, when that happened.
    pub created_at: DateTime<Utc>,
}

/// A correction.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"user_id": "0199c0de-0000-7000-8000-000000000001", "points": -20, "reason": "Counted twice."}))]
pub struct CorrectionIn {
    /// Whose points: an id or `ext:<external_id>`; needed unless an entry is named.
    #[serde(default)]
    pub user_id: Option<String>,
    /// How many, not 0; negative ones take away. With `corrects_id` and without this, all that is left of the entry
    /// is taken back; with both, no more than is left can be.
    #[serde(default)]
    #[schema(minimum = -1_000_000_000, maximum = 1_000_000_000)]
    pub points: Option<i64>,
    /// Why; 1 to 1,000 characters.
    pub reason: String,
    /// The entry that is taken back or corrected. A correction of what a rule gave for an event holds whatever becomes of that: what
    /// stands is what the rules give for the event plus all corrections, down to nothing, and nothing where they give nothing. What
    /// does not stand by that is taken back at once by another entry. What is taken back whole is not given again.
    #[serde(default)]
    pub corrects_id: Option<Uuid>,
}

impl Input for CorrectionIn {
    fn check(&self, faults: &mut Faults) {
        check_reason(&self.reason, faults);
        if self.corrects_id.is_none() {
            faults.ensure(self.user_id.is_some(), "/user_id", "required", "Say whose points are corrected.");
            faults.ensure(self.points.is_some(), "/points", "required", "Say how many points.");
        }
        let good = self.points.is_none_or(|n| n != 0 && (MAX_POINTS.saturating_neg()..=MAX_POINTS).contains(&n));
        faults.ensure(good, "/points", "out_of_range", "Points lie within 10^9 and are not 0.");
    }
}

/// A level of a game.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LevelOut {
    /// Its number, beginning with 1.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// Points needed.
    pub points: i64,
}

/// The levels of a game with the caller's place.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({"items": [{"number": 1, "name": "Novice", "points": 0}], "points": 20, "level": {"number": 1, "name": "Novice", "points": 0}}))]
pub struct LevelsOut {
    /// Lowest first.
    pub items: Vec<LevelOut>,
    /// The caller's points.
    #[schema(required)]
    pub points: Option<i64>,
    /// The caller's level.
    #[schema(required)]
    pub level: Option<LevelOut>,
}

/// The level to reach next.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NextLevel {
    /// Its name.
    pub name: String,
    /// Points that are missing.
    pub points_missing: i64,
}

/// What a user has in a game.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "game_id": "0199c0de-0000-7000-8000-00000000a001", "title": "Autumn challenge", "status": "open", "points": 120,
    "level": {"number": 2, "name": "Explorer", "points": 100}, "next_level": {"name": "Expert", "points_missing": 380},
    "streak_days": 3, "longest_streak_days": 5
}))]
pub struct UserGamePoints {
    /// The game.
    pub game_id: Uuid,
    /// Its title.
    pub title: String,
    /// Where the game is in its life.
    #[schema(value_type = super::GameStatus)]
    pub status: String,
    /// Points in it.
    pub points: i64,
    /// The level reached.
    #[schema(required)]
    pub level: Option<LevelOut>,
    /// The next one.
    #[schema(required)]
    pub next_level: Option<NextLevel>,
    /// Days in a row, up to today or yesterday, on which points were earned.
    pub streak_days: i64,
    /// The longest such run.
    pub longest_streak_days: i64,
}

/// What a user has in all games.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UserPointsOut {
    /// One item for each game in which the user has points.
    pub items: Vec<UserGamePoints>,
}

/// How the caller wants to be shown.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"display": "pseudonym"}))]
pub struct PreferencesIn {
    /// `named`, `pseudonym` or `hidden`; null goes back to what the game, or the preference for all games, says.
    #[serde(default)]
    #[schema(value_type = Option<Display>, required)]
    pub display: Patch<Display>,
    /// Only in this game; in all when absent.
    #[serde(default)]
    pub game_id: Option<Uuid>,
}

impl Input for PreferencesIn {
    fn check(&self, faults: &mut Faults) {
        let said = self.display != Patch::Absent;
        faults.ensure(said, "/display", "required", "Say how, or null for what the game says.");
    }
}

/// How a user is shown in one game.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GameDisplay {
    /// The game.
    pub game_id: Uuid,
    /// How.
    pub display: Display,
}

/// How the caller is shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({"display": "pseudonym", "games": []}))]
pub struct PreferencesOut {
    /// In all games; null leaves it to each game.
    #[schema(required)]
    pub display: Option<Display>,
    /// Where it is otherwise.
    pub games: Vec<GameDisplay>,
}

/// State of a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlagState {
    /// Nobody has looked yet.
    Open,
    /// All was well.
    Dismissed,
    /// It was not.
    Confirmed,
}

impl FlagState {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Dismissed => "dismissed",
            Self::Confirmed => "confirmed",
        }
    }
}

/// Filters of the list of flags.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FlagQuery {
    /// Items on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
    /// Only flags in this state.
    pub state: Option<FlagState>,
}

/// What a flag is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlagKind {
    /// More points within an hour than the guard allows.
    TooManyPoints,
    /// More ledger entries within a minute than the guard allows.
    TooFast,
    /// What points or a badge were given for was corrected or taken back.
    CauseCorrected,
}

/// Something that somebody should look at.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0199c0de-0000-7000-8000-00000000d001", "user_id": "0199c0de-0000-7000-8000-000000000001", "kind": "too_many_points",
    "detail": "620 points within an hour.", "entry_id": null, "award_id": null, "state": "open", "note": null, "resolved_by": null,
    "resolved_at": null, "at": "2026-11-24T10:00:00Z"
}))]
pub struct FlagOut {
    /// Its id.
    pub id: Uuid,
    /// Whom it is about.
    pub user_id: Uuid,
    /// What was seen.
    #[schema(value_type = FlagKind)]
    pub kind: String,
    /// The same, for people.
    pub detail: String,
    /// The ledger entry that it is about.
    #[schema(required)]
    pub entry_id: Option<Uuid>,
    /// The badge award that it is about.
    #[schema(required)]
    pub award_id: Option<Uuid>,
    /// What became of it.
    #[schema(value_type = FlagState)]
    pub state: String,
    /// What whoever resolved it noted.
    #[schema(required)]
    pub note: Option<String>,
    /// Who resolved it.
    #[schema(required)]
    pub resolved_by: Option<Uuid>,
    /// When.
    #[schema(required)]
    pub resolved_at: Option<DateTime<Utc>>,
    /// When it was raised.
    pub at: DateTime<Utc>,
}

/// What came of looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlagResolution {
    /// All was well.
    Dismissed,
    /// The entry or badge that it is about is taken back. A flag that is about neither takes nothing back by itself (correct the
    /// ledger for that), but the player gets no prize of the game.
    Confirmed,
}

impl FlagResolution {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dismissed => "dismissed",
            Self::Confirmed => "confirmed",
        }
    }
}

/// How a flag is resolved.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"resolution": "dismissed", "note": "A workshop day."}))]
pub struct ResolveFlagIn {
    /// What came of it.
    pub resolution: FlagResolution,
    /// For the record; up to 1,000 characters.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub note: Option<String>,
}

impl Input for ResolveFlagIn {
    fn check(&self, faults: &mut Faults) {
        let good = self.note.as_ref().is_none_or(|note| note.chars().count() <= 1000);
        faults.ensure(good, "/note", "length", "A note has up to 1,000 characters.");
    }
}
