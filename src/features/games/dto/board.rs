//! Leaderboards.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::domain::game::View;
use crate::domain::game::period::Period;
use crate::http::Ref;

/// Around whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Around {
    /// The caller.
    Me,
}

/// Which leaderboard.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BoardQuery {
    /// `players` (when absent) or `teams`.
    pub view: Option<View>,
    /// `all` (when absent), `week`, `month` or `season`, of UTC.
    pub period: Option<Period>,
    /// The period that this instant lies in; the present one when absent.
    pub at: Option<DateTime<Utc>>,
    /// `me`: the caller (or the caller's team) with neighbours on both sides.
    pub around: Option<Around>,
    /// Items on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    #[param(pattern = "^[A-Za-z0-9_-]{2,27}$")]
    pub after: Option<String>,
    /// Only players enrolled in this course (an id or `ext:<external_id>`), ranked among themselves; for those who are enrolled in
    /// it too, and those who may see its enrollments.
    #[param(value_type = Option<String>)]
    pub course_id: Option<Ref>,
    /// Only players in this group (an id or `ext:<external_id>`), ranked among themselves.
    #[param(value_type = Option<String>)]
    pub group_id: Option<Ref>,
    /// Only the present members of this team, ranked among themselves.
    pub team_id: Option<Uuid>,
}

/// A player as others see them.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PlayerOut {
    /// The user; null when shown by a pseudonym.
    #[schema(required)]
    pub id: Option<Uuid>,
    /// Name or pseudonym.
    pub name: String,
    /// The pseudonym that others see; only shown to the player and to those who run the game.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseudonym: Option<String>,
    /// Whether it is the caller.
    pub me: bool,
}

/// A team in short.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TeamBrief {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
}

/// A place in a leaderboard.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "rank": 1, "points": 120, "level": "Explorer", "user": {"id": "0199c0de-0000-7000-8000-000000000001", "name": "Ada Lovelace", "me": false},
    "reached_at": "2026-11-24T10:00:00Z"
}))]
pub struct BoardItem {
    /// The rank, beginning with 1. Ties go to whoever got there first: came to this sum, by whatever made it what it is.
    pub rank: i64,
    /// Points.
    pub points: i64,
    /// A team's score by the game's rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// The level that the points of this period would reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// The player.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<PlayerOut>,
    /// The team, or the player's present team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamBrief>,
    /// Present members of the team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<i64>,
    /// When these points were reached; null for a team without points.
    #[schema(required)]
    pub reached_at: Option<DateTime<Utc>>,
}

/// A leaderboard.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct LeaderboardOut {
    /// `players` or `teams`.
    pub view: View,
    /// The kind of period.
    pub period: Period,
    /// First day of the period; null for all time.
    #[schema(required)]
    pub period_start: Option<NaiveDate>,
    /// Whether the game is closed, so that nothing changes any more.
    pub frozen: bool,
    /// The places, best first.
    pub items: Vec<BoardItem>,
    /// Pass this as `after` to get the next page; null on the last one.
    #[schema(required)]
    pub next: Option<String>,
    /// How many stand on this leaderboard. When it is frozen, those who hide since then count still: their places stay free.
    pub total: i64,
    /// The caller's rank, or that of the caller's team; null for those who have no points here or are hidden.
    #[schema(required)]
    pub my_rank: Option<i64>,
    /// The caller's points, also when hidden.
    #[schema(required)]
    pub my_points: Option<i64>,
}

/// What the live stream sends.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LiveOut {
    /// Where the game is in its life; the stream ends after `closed`.
    #[schema(value_type = super::GameStatus)]
    pub status: String,
    /// The first 20 players.
    pub players: LeaderboardOut,
    /// The first 20 teams of a team game.
    #[schema(required)]
    pub teams: Option<LeaderboardOut>,
}
