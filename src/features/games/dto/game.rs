//! Games themselves: settings, report, replay.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::BoardItem;
use crate::domain::game::{
    Display, GameScope, Guard, LeagueRules, Level, Mode, PointRule, Prize, Revocation, ScopeKind, TeamScore,
};
use crate::error::Faults;
use crate::http::shapes::{Shape, Summary, Title, UserRef};
use crate::http::{Input, Patch, Ref};

/// A new game.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "title": "Autumn challenge", "scope": {"kind": "site"}, "mode": "teams", "team_score": "mean", "ends_at": "2026-12-24T18:00:00Z",
    "point_rules": [{"event": "module.completed", "points": 10, "repeat": "each", "cap_per_day": 100},
        {"event": "quiz.passed", "points": 50, "scale_by_score": true, "min_interval_seconds": 60}],
    "levels": [{"name": "Novice", "points": 0}, {"name": "Explorer", "points": 100}, {"name": "Expert", "points": 500}]
}))]
pub struct GameIn {
    /// 1 to 200 characters.
    #[schema(value_type = Title)]
    pub title: String,
    /// What it is about; up to 5,000 characters.
    #[serde(default)]
    #[schema(value_type = Option<Summary>)]
    pub description: Option<String>,
    /// Whose deeds count; everybody's when absent.
    #[serde(default)]
    pub scope: Option<ScopeIn>,
    /// What happens from here on counts; from now on when absent.
    #[serde(default)]
    pub starts_at: Option<DateTime<Utc>>,
    /// The game closes by itself then; never when absent.
    #[serde(default)]
    pub ends_at: Option<DateTime<Utc>>,
    /// `individual` when absent.
    #[serde(default)]
    pub mode: Option<Mode>,
    /// How a team's score follows from the points of those who play for it; `mean` when absent.
    #[serde(default)]
    pub team_score: Option<TeamScore>,
    /// Members of a team at most.
    #[serde(default, deserialize_with = "crate::domain::bounds::formatted")]
    #[schema(minimum = 1)]
    pub team_size_limit: Option<u32>,
    /// Whether players join and leave teams themselves, with the team's code; no when absent.
    #[serde(default)]
    pub open_teams: Option<bool>,
    /// What gives points.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub point_rules: Option<Vec<PointRule>>,
    /// Levels, lowest first.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub levels: Option<Vec<Level>>,
    /// How players are shown who did not say; by name when absent.
    #[serde(default)]
    pub display: Option<Display>,
    /// When somebody earns suspiciously fast.
    #[serde(default)]
    pub guard: Option<Guard>,
    /// What becomes of points whose cause is corrected; `revoke` when absent.
    #[serde(default)]
    pub revocation: Option<Revocation>,
    /// Leagues, if the game has any.
    #[serde(default)]
    pub leagues: Option<LeagueRules>,
    /// What the best get when the game closes.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub prizes: Option<Vec<Prize>>,
    /// Days of a season, counted from the start; calendar quarters when absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3660)]
    pub season_days: Option<u32>,
}

/// Whose deeds count, as it is sent.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GameScopeIn, example = json!({"kind": "course", "id": "ext:onboarding"}))]
pub struct ScopeIn {
    /// The whole site, one course or one group.
    pub kind: ScopeKind,
    /// Which course or group, by id or `ext:<external_id>`; absent for the site.
    #[serde(default)]
    #[schema(value_type = Option<UserRef>)]
    pub id: Option<String>,
}

impl Input for GameIn {
    fn check(&self, faults: &mut Faults) {
        let scope = self.scope.as_ref().and_then(|scope| scope.id.as_ref());
        UserRef::check_option(scope, "/scope/id", faults);
        Title::check(&self.title, "/title", faults);
        Summary::check_option(self.description.as_ref(), "/description", faults);
    }
}

/// A merge patch of a game. Scope and season stay as they were made; lists are replaced as a whole.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"ends_at": "2026-12-31T18:00:00Z"}))]
pub struct GamePatch {
    /// New title.
    #[serde(default)]
    #[schema(value_type = Title, required = false)]
    pub title: Patch<String>,
    /// New description.
    #[serde(default)]
    #[schema(value_type = Summary, required = false)]
    pub description: Patch<String>,
    /// New mode.
    #[serde(default)]
    #[schema(value_type = Mode, required = false)]
    pub mode: Patch<Mode>,
    /// New start; only before points were given.
    #[serde(default)]
    #[schema(value_type = String, format = DateTime, required = false)]
    pub starts_at: Patch<DateTime<Utc>>,
    /// New end, or null.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Patch<DateTime<Utc>>,
    /// New team score.
    #[serde(default)]
    #[schema(value_type = TeamScore, required = false)]
    pub team_score: Patch<TeamScore>,
    /// New limit, or null.
    #[serde(default, deserialize_with = "crate::domain::bounds::formatted")]
    #[schema(value_type = Option<u32>, minimum = 1)]
    pub team_size_limit: Patch<u32>,
    /// Whether players join and leave teams themselves.
    #[serde(default)]
    #[schema(value_type = bool, required = false)]
    pub open_teams: Patch<bool>,
    /// The point rules, replacing those there are. They count for what happens from now on; see replay.
    #[serde(default)]
    #[schema(value_type = Vec<PointRule>, required = false)]
    pub point_rules: Patch<Vec<PointRule>>,
    /// The levels, replacing those there are.
    #[serde(default)]
    #[schema(value_type = Vec<Level>, required = false)]
    pub levels: Patch<Vec<Level>>,
    /// How players are shown who did not say; to `hidden` and back only before points were given.
    #[serde(default)]
    #[schema(value_type = Display, required = false)]
    pub display: Patch<Display>,
    /// New guard, or null.
    #[serde(default)]
    #[schema(value_type = Option<Guard>)]
    pub guard: Patch<Guard>,
    /// New policy.
    #[serde(default)]
    #[schema(value_type = Revocation, required = false)]
    pub revocation: Patch<Revocation>,
    /// New leagues, or null.
    #[serde(default)]
    #[schema(value_type = Option<LeagueRules>)]
    pub leagues: Patch<LeagueRules>,
    /// The prizes, replacing those there are.
    #[serde(default)]
    #[schema(value_type = Vec<Prize>, required = false)]
    pub prizes: Patch<Vec<Prize>>,
}

impl Input for GamePatch {
    fn check(&self, faults: &mut Faults) {
        let needed = [
            (self.title == Patch::Null, "/title"),
            (self.description == Patch::Null, "/description"),
            (self.mode == Patch::Null, "/mode"),
            (self.starts_at == Patch::Null, "/starts_at"),
            (self.team_score == Patch::Null, "/team_score"),
            (self.open_teams == Patch::Null, "/open_teams"),
            (self.point_rules == Patch::Null, "/point_rules"),
            (self.levels == Patch::Null, "/levels"),
            (self.display == Patch::Null, "/display"),
            (self.revocation == Patch::Null, "/revocation"),
            (self.prizes == Patch::Null, "/prizes"),
        ];
        for (_, at) in needed.into_iter().filter(|(null, _)| *null) {
            faults.add(at, "required", "This cannot be removed.");
        }
        Title::check_option(self.title.value(), "/title", faults);
        Summary::check_option(self.description.value(), "/description", faults);
    }
}

/// A game.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "0199c0de-0000-7000-8000-00000000a001", "title": "Autumn challenge", "description": "", "scope": {"kind": "site"},
    "status": "open", "mode": "teams", "starts_at": "2026-11-24T09:00:00Z", "ends_at": "2026-12-24T18:00:00Z", "closed_at": null,
    "team_score": "mean", "team_size_limit": null, "open_teams": false,
    "point_rules": [{"key": "module.completed", "event": "module.completed", "points": 10, "repeat": "each"}],
    "levels": [{"name": "Novice", "points": 0}], "display": "named", "revocation": "revoke", "leagues": null, "prizes": [],
    "season_days": null, "created_by": null, "created_at": "2026-11-24T09:00:00Z", "updated_at": "2026-11-24T09:00:00Z"
}))]
pub struct GameOut {
    /// Its id.
    pub id: Uuid,
    /// Title.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// Whose deeds count.
    pub scope: GameScope,
    /// Where it is in its life.
    #[schema(value_type = GameStatus)]
    pub status: String,
    /// Who competes.
    pub mode: Mode,
    /// What happens from here on counts.
    pub starts_at: DateTime<Utc>,
    /// When it closes by itself.
    #[schema(required)]
    pub ends_at: Option<DateTime<Utc>>,
    /// When it was closed.
    #[schema(required)]
    pub closed_at: Option<DateTime<Utc>>,
    /// How a team's score is made.
    pub team_score: TeamScore,
    /// Members of a team at most.
    #[schema(required)]
    pub team_size_limit: Option<u32>,
    /// Whether players join and leave teams themselves.
    pub open_teams: bool,
    /// What gives points.
    pub point_rules: Vec<PointRule>,
    /// Levels, lowest first.
    pub levels: Vec<Level>,
    /// How players are shown who did not say.
    pub display: Display,
    /// The cheating guard; only shown to those who run the game.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guard: Option<Guard>,
    /// What becomes of points whose cause is corrected.
    pub revocation: Revocation,
    /// Leagues.
    #[schema(required)]
    pub leagues: Option<LeagueRules>,
    /// What the best get.
    pub prizes: Vec<Prize>,
    /// Days of a season; calendar quarters when null.
    #[schema(required)]
    pub season_days: Option<u32>,
    /// Who made it.
    #[schema(required)]
    pub created_by: Option<Uuid>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Version for the ETag.
    #[serde(skip)]
    pub version: i64,
}

/// Where a game is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GameStatus {
    /// Points are given.
    Open,
    /// The standings are final.
    Closed,
}

impl GameStatus {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// Filters of the list of games.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GameQuery {
    /// Items on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
    /// Only games in this status.
    pub status: Option<GameStatus>,
    /// Only games of this mode.
    pub mode: Option<Mode>,
    /// Only games of this course: an id or `ext:<external_id>`.
    #[param(value_type = Option<String>)]
    pub course_id: Option<Ref>,
    /// Only games of this group: an id or `ext:<external_id>`.
    #[param(value_type = Option<String>)]
    pub group_id: Option<Ref>,
    /// Only games changed at or after this instant (RFC 3339).
    pub updated_since: Option<DateTime<Utc>>,
}

/// A page of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Items on a page, 1 to 200; 50 when absent.
    pub limit: Option<i64>,
    /// Cursor from `next` of the page before.
    pub after: Option<String>,
}

/// A final place.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FinalPlace {
    /// The rank.
    pub rank: i64,
    /// The player.
    pub user_id: Uuid,
    /// The points.
    pub points: i64,
    /// When the player got there.
    pub reached_at: DateTime<Utc>,
}

/// A prize that was given.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PrizeGiven {
    /// Which.
    pub title: String,
    /// For which rank.
    pub rank: i64,
    /// To whom.
    pub user_id: Uuid,
    /// As a member of this team.
    #[schema(required)]
    pub team_id: Option<Uuid>,
    /// The badge that went with it.
    #[schema(required)]
    pub badge_id: Option<Uuid>,
    /// True when it is not given because the player was flagged. It waits until every flag is resolved.
    pub withheld: bool,
    /// True when it does not wait any longer and goes to nobody: a flag was confirmed about the player, or about points that stay in
    /// the final standings.
    #[serde(default)]
    pub refused: bool,
}

/// The final report of a game.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "game_id": "0199c0de-0000-7000-8000-00000000a001", "title": "Autumn challenge", "closed_at": "2026-12-24T18:00:02Z", "player_count": 1,
    "players": [{"rank": 1, "user_id": "0199c0de-0000-7000-8000-000000000001", "points": 120, "reached_at": "2026-12-20T10:00:00Z"}],
    "teams": [], "prizes": []
}))]
pub struct GameReport {
    /// The game.
    pub game_id: Uuid,
    /// Its title.
    pub title: String,
    /// When it was closed.
    pub closed_at: DateTime<Utc>,
    /// How many stand on the leaderboard.
    pub player_count: i64,
    /// The first 1,000; the leaderboard has all.
    pub players: Vec<FinalPlace>,
    /// All teams.
    pub teams: Vec<BoardItem>,
    /// Prizes.
    pub prizes: Vec<PrizeGiven>,
}

/// Other rules to try.
#[derive(Debug, Default, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"point_rules": [{"key": "module.completed", "event": "module.completed", "points": 20, "repeat": "each"}]}))]
pub struct ReplayIn {
    /// Rules to try instead of the game's; only in a dry run.
    #[serde(default)]
    pub point_rules: Option<Vec<PointRule>>,
}

impl Input for ReplayIn {}

/// Whether a replay is only tried.
#[derive(Debug, Default, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReplayQuery {
    /// `true`: say who would gain and lose, write nothing.
    pub dry_run: Option<bool>,
}

/// Who gains and loses.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "dry_run": true, "gain": 1, "lose": 0, "points_change": 10, "truncated": false,
    "items": [{"user_id": "0199c0de-0000-7000-8000-000000000001", "before": 10, "after": 20, "change": 10}]
}))]
pub struct ReplayOut {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// How many gain.
    pub gain: usize,
    /// How many lose.
    pub lose: usize,
    /// Points added in all; negative when taken.
    pub points_change: i64,
    /// Greatest loss first, then greatest gain; those for whom nothing changes are left out.
    pub items: Vec<ReplayChange>,
    /// True when there are more than the 1,000 listed.
    pub truncated: bool,
}

/// What changes for one player.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReplayChange {
    /// The player.
    pub user_id: Uuid,
    /// What the player has of rules now, with what people corrected of these entries by hand (`corrects_id`). Points that were given
    /// or taken without naming an entry are not among it, nor what somebody took back whole, nor what stands though its cause was
    /// undone, because the game keeps or reviews it.
    pub before: i64,
    /// The same by the rules replayed. What people corrected of an entry holds for what the rules give for its event now, down to
    /// nothing; where they give nothing, nothing of it is left.
    pub after: i64,
    /// The difference.
    pub change: i64,
}
