//! Teams, matches, leagues.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::PlayerOut;
use crate::domain::game::period::Period;
use crate::domain::game::settings::{LeaguePeriod, MAX_POINTS};
use crate::error::Faults;
use crate::http::shapes::{Shape, Title, UserRef};
use crate::http::{Input, Patch};

/// A new team.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "The Falcons"}))]
pub struct TeamIn {
    /// Unique in its game, whatever its case and the spaces around it, which are left out; 1 to 200 characters.
    #[schema(value_type = Title)]
    pub name: String,
}

impl Input for TeamIn {
    fn check(&self, faults: &mut Faults) {
        Title::check(&self.name, "/name", faults);
    }
}

/// A merge patch of a team.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "The Hawks", "new_code": true}))]
pub struct TeamPatch {
    /// New name.
    #[serde(default)]
    #[schema(value_type = Title, required = false)]
    pub name: Patch<String>,
    /// `true` makes a new code; the old one is of no use any more.
    #[serde(default)]
    pub new_code: Option<bool>,
}

impl Input for TeamPatch {
    fn check(&self, faults: &mut Faults) {
        faults.ensure(self.name != Patch::Null, "/name", "required", "This cannot be removed.");
        Title::check_option(self.name.value(), "/name", faults);
    }
}

/// A team.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0199c0de-0000-7000-8000-00000000a101", "game_id": "0199c0de-0000-7000-8000-00000000a001", "name": "The Falcons",
    "code": "7Q2MXK4D", "members": 5, "created_at": "2026-11-24T09:00:00Z", "updated_at": "2026-11-24T09:00:00Z"
}))]
pub struct TeamOut {
    /// Its id.
    pub id: Uuid,
    /// The game.
    pub game_id: Uuid,
    /// Its name.
    pub name: String,
    /// What players need to join; only shown to those who run the game.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Present members.
    pub members: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Version for the ETag.
    #[serde(skip)]
    pub version: i64,
}

/// A member of a team.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = TeamMemberOut)]
pub struct MemberOut {
    /// Who, as others see them.
    pub user: PlayerOut,
    /// Since when.
    pub joined_at: DateTime<Utc>,
}

/// Somebody in a team.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "game_id": "0199c0de-0000-7000-8000-00000000a001", "team_id": "0199c0de-0000-7000-8000-00000000a101", "team": "The Falcons",
    "user_id": "0199c0de-0000-7000-8000-000000000001"
}))]
pub struct MembershipOut {
    /// The game.
    pub game_id: Uuid,
    /// The team.
    pub team_id: Uuid,
    /// Its name.
    pub team: String,
    /// The member.
    pub user_id: Uuid,
}

/// Which team to join.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"code": "7Q2MXK4D"}))]
pub struct JoinIn {
    /// The team's code.
    #[schema(max_length = 100)]
    pub code: String,
}

impl Input for JoinIn {
    fn check(&self, faults: &mut Faults) {
        faults.ensure(self.code.len() <= 100, "/code", "length", "A code has up to 100 bytes.");
    }
}

/// What a draw makes even.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// Only sizes; who is with whom is left to chance.
    #[default]
    Size,
    /// Sizes and strength.
    Points,
}

/// How teams are drawn.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"teams": 4, "balance": "points", "seed": 7}))]
pub struct DrawIn {
    /// How many teams; those that are missing are made.
    #[schema(minimum = 1, maximum = 1000)]
    pub teams: u32,
    /// `size` when absent.
    #[serde(default)]
    pub balance: Option<Balance>,
    /// The same seed and players give the same teams; a new one is drawn when absent. 0 to 2^53 - 1, which every JSON reader says
    /// exactly.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    pub seed: Option<i64>,
    /// Who is dealt out, by id or `ext:<external_id>`, each once; all when absent: those who learn in the course of the game, the
    /// members of its group, or of a game of the site all who have played.
    #[serde(default)]
    #[schema(value_type = Option<Vec<UserRef>>, min_items = 1, max_items = 10000)]
    pub user_ids: Option<Vec<String>>,
    /// How strong each user (an id or `ext:<external_id>`) is, with `balance: points`; who is not named counts 0; none
    /// lies beyond 10^9. Each is dealt out, or is in one of these teams and stays there. The points in this game when absent.
    #[serde(default)]
    pub strengths: Option<HashMap<String, i64>>,
}

impl Input for DrawIn {
    fn check(&self, faults: &mut Faults) {
        faults.ensure((1..=1000).contains(&self.teams), "/teams", "out_of_range", "Draw 1 to 1,000 teams.");
        let few = self.user_ids.as_ref().is_none_or(|ids| (1..=10_000).contains(&ids.len()));
        faults.ensure(few, "/user_ids", "length", "List 1 to 10,000 users.");
        for (n, text) in self.user_ids.iter().flatten().enumerate() {
            UserRef::check(text, &format!("/user_ids/{n}"), faults);
        }
        for text in self.strengths.iter().flat_map(HashMap::keys) {
            UserRef::check(text, &format!("/strengths/{}", crate::http::schema::escape(text)), faults);
        }
        for (text, strength) in self.strengths.iter().flatten() {
            let at = format!("/strengths/{}", crate::http::schema::escape(text));
            let within = (MAX_POINTS.saturating_neg()..=MAX_POINTS).contains(strength);
            faults.ensure(within, &at, "out_of_range", "A strength lies within 10^9.");
        }
        let exact = self.seed.is_none_or(|seed| (0..1 << 53).contains(&seed));
        faults.ensure(exact, "/seed", "out_of_range", "A seed is 0 to 2^53 - 1.");
        let used = self.strengths.is_none() || self.balance == Some(Balance::Points);
        faults.ensure(used, "/strengths", "not_with_size", "Strengths only matter with `balance: points`.");
    }
}

/// A team that was drawn.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DrawnTeam {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Members, with those who were in it and were not dealt out.
    pub size: usize,
    /// Their strength in all.
    pub points: i64,
    /// Who was dealt out into it.
    pub user_ids: Vec<Uuid>,
}

/// What was drawn.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DrawOut {
    /// The seed, to draw the same again.
    pub seed: i64,
    /// How many were dealt out.
    pub players: usize,
    /// Points per head of the strongest team minus those of the weakest.
    pub strength_spread: f64,
    /// The teams.
    pub teams: Vec<DrawnTeam>,
}

/// How teams meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MatchFormat {
    /// Everyone meets everyone once.
    RoundRobin,
    /// Who loses is out.
    KnockOut,
}

impl MatchFormat {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RoundRobin => "round_robin",
            Self::KnockOut => "knock_out",
        }
    }
}

/// A schedule to be drawn up.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"format": "round_robin", "round_seconds": 604800}))]
pub struct ScheduleIn {
    /// How teams meet.
    pub format: MatchFormat,
    /// How long a round lasts.
    #[schema(minimum = 1, maximum = 31536000)]
    pub round_seconds: i64,
    /// When the first round begins; now when absent.
    #[serde(default)]
    pub starts_at: Option<DateTime<Utc>>,
    /// The teams, best first (in a knock-out the best meet last); all by their present standing when absent.
    #[serde(default)]
    #[schema(max_items = 256)]
    pub team_ids: Option<Vec<Uuid>>,
}

impl Input for ScheduleIn {
    fn check(&self, faults: &mut Faults) {
        let good = (1..=31_536_000).contains(&self.round_seconds);
        faults.ensure(good, "/round_seconds", "out_of_range", "A round lasts a second to a year.");
    }
}

/// A team in a match.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MatchTeam {
    /// The team.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its score in this round; null until the round is over.
    #[schema(required)]
    pub score: Option<f64>,
}

/// Where a match is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MatchState {
    /// It is to be decided.
    Scheduled,
    /// It is decided.
    Over,
    /// A team goes on without playing.
    Bye,
    /// The game ended before the round did.
    Cancelled,
}

/// A match.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MatchOut {
    /// Its id.
    pub id: Uuid,
    /// Round, beginning with 1.
    pub round: i32,
    /// Position in its round. In a knock-out the winner goes to position `slot / 2` of the next round.
    pub slot: i32,
    /// One team; null until it is known.
    #[schema(required)]
    pub home: Option<MatchTeam>,
    /// The other.
    #[schema(required)]
    pub away: Option<MatchTeam>,
    /// When the round begins.
    pub starts_at: DateTime<Utc>,
    /// When it ends.
    pub ends_at: DateTime<Utc>,
    /// Where it is in its life.
    #[schema(value_type = MatchState)]
    pub state: String,
    /// Who won; null for a draw and before the end.
    #[schema(required)]
    pub winner_id: Option<Uuid>,
}

/// All matches of a game.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MatchList {
    /// Round by round.
    pub items: Vec<MatchOut>,
}

/// Which group of a league.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LeagueQuery {
    /// The group, from 0 on; the caller's when absent.
    #[param(minimum = 0)]
    pub group: Option<i32>,
    /// The period that this instant lies in; the present one when absent.
    pub at: Option<DateTime<Utc>>,
}

/// What becomes of a place in a league.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeagueZone {
    /// The player rises a tier.
    Promote,
    /// The player stays.
    Stay,
    /// The player falls a tier.
    Relegate,
}

/// A place in a league's group.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LeagueItem {
    /// The rank in the group.
    pub rank: usize,
    /// Points of this period.
    pub points: i64,
    /// What would follow if the period ended now.
    #[schema(value_type = LeagueZone)]
    pub zone: &'static str,
    /// The player.
    pub user: PlayerOut,
}

/// A group of a league.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LeagueOut {
    /// How long a period lasts.
    #[schema(value_type = LeaguePeriod)]
    pub period: Period,
    /// Which one, such as `week:2026-11-23`.
    pub bucket: String,
    /// Name of the tier; null when the caller is in no group.
    #[schema(required)]
    pub tier: Option<String>,
    /// Number of the group.
    #[schema(required)]
    pub group: Option<i32>,
    /// When the period ends.
    #[schema(required)]
    pub ends_at: Option<DateTime<Utc>>,
    /// The players, best first. Who hides keeps a rank but is left out for others than those who run the game.
    pub items: Vec<LeagueItem>,
}

/// What was drawn.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({"bucket": "week:2026-11-23", "players": 120, "groups": 6}))]
pub struct LeagueDrawOut {
    /// The period.
    pub bucket: String,
    /// How many players.
    pub players: usize,
    /// In how many groups.
    pub groups: usize,
}
