//! What a game's author decides.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use super::deeds::{self, PointEvent};
use crate::domain::bounds::Within;
use crate::domain::condition::{AttributeOp, Condition};

/// Points of one rule or correction lie within this on either side of zero, so that no total can overflow.
pub const MAX_POINTS: i64 = 1_000_000_000;
/// Rules, levels or prizes of one game at most.
pub const MAX_LIST: usize = 100;

/// What kind of thing a game is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScopeKind {
    /// Everybody, everything.
    #[default]
    Site,
    /// What happens in one course.
    Course,
    /// What the members of one group do while they are in it; of a unit, in all that lies below it now.
    Group,
}

impl ScopeKind {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Course => "course",
            Self::Group => "group",
        }
    }
}

/// Whose deeds count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "course", "id": "0199c0de-0000-7000-8000-0000000000a1"}))]
pub struct GameScope {
    /// The whole site, one course or one group.
    pub kind: ScopeKind,
    /// Which course or group; absent for the site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
}

/// Who competes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Everyone alone.
    #[default]
    Individual,
    /// Teams; players still have their own points.
    Teams,
}

impl Mode {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Individual => "individual",
            Self::Teams => "teams",
        }
    }
}

/// How a team's score follows from the points of those who play for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TeamScore {
    /// Points per head: fair to teams of unequal size.
    #[default]
    Mean,
    /// All points.
    Sum,
    /// The points of the k best, 1 to 1,000.
    TopK(#[schema(inline)] TeamHeads),
}

/// How many of a team count.
pub type TeamHeads = Within<1, 1000>;

/// How often a rule gives points to one player.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// Once, the first time.
    Once,
    /// Once for each thing, however often it is done again: for each module of events about modules, for each competency of those about
    /// competencies and their evidence, in whatever course, else for each course, and outside of courses for each subject of the event. Also in a later
    /// enrollment.
    Each,
    /// Every time.
    #[default]
    Every,
}

/// Points for an event. It counts for the instant at which Cairn took it down: what a learner did offline, for when it was sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"key": "module", "event": "module.completed", "points": 10, "repeat": "each", "cap_per_day": 100, "min_interval_seconds": 30, "scale_by_score": true}))]
pub struct PointRule {
    /// Names the rule in the ledger, unique in its game; made from the event when absent. What a player has had of a rule is
    /// kept under its key, so keep the key when you change the rule.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(required = false, max_length = 100, pattern = r"^[A-Za-z0-9._-]*$")]
    pub key: String,
    /// Name of the event, such as `module.completed`.
    #[schema(value_type = PointEvent)]
    pub event: String,
    /// Points given; fewer when scaled or capped.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub points: i64,
    /// Only when this holds: `module` and `score` ask about the event itself, the other leaves about the player: `group` about who
    /// was in it at the event, all others about what is so when the event is scored, which for a replay is the time of the replay.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub only_where: Option<Condition>,
    /// `once`, the first time; `each`, once for each module, competency (in whatever course), course or other thing, however often it is
    /// done again; `every`, every time. `every` when absent.
    #[serde(default)]
    pub repeat: Repeat,
    /// Points that a player can get from this rule on one day (UTC); what exceeds it is cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub cap_per_day: Option<i64>,
    /// Points that a player can get from this rule in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub cap_total: Option<i64>,
    /// For so long after it gave points to a player, the rule gives no more to that player.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub min_interval_seconds: Option<i64>,
    /// Multiplies the points by the event's score in percent; an event without a score gives them all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub scale_by_score: bool,
    /// Gives points only when the event completes so many days in a row with such events, and again after as many more. Days are
    /// those of UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 2, maximum = 366)]
    pub streak_days: Option<u32>,
}

/// A level that is reached with so many points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GameLevel, example = json!({"name": "Explorer", "points": 100}))]
pub struct Level {
    /// For people; unique in its game.
    #[schema(min_length = 1, max_length = 100, pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub name: String,
    /// Points needed.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub points: i64,
}

/// When a player is flagged for somebody to look at. Points are given all the same; prizes wait for the review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"max_points_per_hour": 500, "max_awards_per_minute": 20}))]
pub struct Guard {
    /// More points than these within an hour are suspicious.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub max_points_per_hour: Option<i64>,
    /// More ledger entries than these within a minute are suspicious.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub max_awards_per_minute: Option<i64>,
}

/// Leagues: in each week or month players meet others like them; the best of each group rise a tier, the last fall one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"period": "week", "tiers": ["Bronze", "Silver", "Gold"], "group_size": 20, "promote": 5, "relegate": 5}))]
pub struct LeagueRules {
    /// How long a period lasts.
    #[schema(value_type = LeaguePeriod)]
    pub period: super::period::Period,
    /// Names of the tiers, lowest first; each once.
    #[schema(value_type = Vec<TierName>, min_items = 1, max_items = 20)]
    pub tiers: Vec<String>,
    /// Players in a group, about.
    #[schema(minimum = 2, maximum = 1000)]
    pub group_size: u32,
    /// How many of each group rise.
    #[schema(minimum = 0, maximum = 1000)]
    pub promote: u32,
    /// How many of each group fall.
    #[schema(minimum = 0, maximum = 1000)]
    pub relegate: u32,
}

/// How long the period of a league lasts, in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum LeaguePeriod {
    /// A week, Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
}

/// The name of a tier, in the document.
pub struct TierName;

impl PartialSchema for TierName {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("The name of a tier."))
            .min_length(Some(1))
            .max_length(Some(100))
            .pattern(Some(r"^[^\x00]*[^\s\x00][^\x00]*$"))
            .examples(["Bronze"])
            .into()
    }
}

impl ToSchema for TierName {}

/// What a leaderboard or prize is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// Single players.
    #[default]
    Players,
    /// Teams.
    Teams,
}

/// What the best get when the game closes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"title": "Gold", "view": "players", "from": 1, "to": 1}))]
pub struct Prize {
    /// For people.
    #[schema(min_length = 1, max_length = 200, pattern = r"^[^\x00]*[^\s\x00][^\x00]*$")]
    pub title: String,
    /// Whether ranks of players or of teams count; all members of a winning team get it, also those who hide.
    #[serde(default)]
    pub view: View,
    /// First rank that gets it.
    #[schema(minimum = 1, maximum = 1000)]
    pub from: u32,
    /// Last rank that gets it.
    #[schema(minimum = 1, maximum = 1000)]
    pub to: u32,
    /// A badge of this game that goes with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub badge_id: Option<Uuid>,
}

/// What becomes of points or a badge when their cause is corrected or taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Revocation {
    /// They stay.
    Keep,
    /// They are taken back by a new ledger entry.
    #[default]
    Revoke,
    /// Somebody is asked.
    Review,
}

impl Revocation {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Revoke => "revoke",
            Self::Review => "review",
        }
    }

    /// Reads the stable name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Keep, Self::Revoke, Self::Review].into_iter().find(|policy| policy.as_str() == text)
    }
}

/// How a player is shown to other players.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Display {
    /// By name.
    #[default]
    Named,
    /// By a pseudonym that stays the same within a game.
    Pseudonym,
    /// Not at all: the player keeps the points but stands in no leaderboard.
    Hidden,
}

impl Display {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Pseudonym => "pseudonym",
            Self::Hidden => "hidden",
        }
    }

    /// Reads the stable name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Named, Self::Pseudonym, Self::Hidden].into_iter().find(|display| display.as_str() == text)
    }
}

/// All that a game's author decides, apart from title, scope and dates. Stored as JSON.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Team score.
    pub team_score: TeamScore,
    /// Members of a team at most.
    pub team_size_limit: Option<u32>,
    /// Whether players may join a team by its code.
    pub open_teams: bool,
    /// Point rules.
    pub point_rules: Vec<PointRule>,
    /// Levels, lowest first.
    pub levels: Vec<Level>,
    /// How players are shown who did not say.
    pub display: Display,
    /// Cheating guard.
    pub guard: Option<Guard>,
    /// What becomes of points whose cause is corrected.
    pub revocation: Revocation,
    /// Leagues.
    pub leagues: Option<LeagueRules>,
    /// Prizes.
    pub prizes: Vec<Prize>,
    /// Days of a season, counted from the start; calendar quarters when absent.
    pub season_days: Option<u32>,
}

/// A fault of the settings: pointer, code, detail.
pub type Fault = (String, &'static str, String);

fn is_key(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

impl Settings {
    /// Gives a key to each rule that has none: its event's name, numbered when that is taken.
    pub fn name_rules(&mut self) {
        let mut taken: HashSet<String> =
            self.point_rules.iter().map(|r| r.key.clone()).filter(|k| !k.is_empty()).collect();
        for rule in self.point_rules.iter_mut().filter(|rule| rule.key.is_empty()) {
            let mut key = rule.event.clone();
            let mut n = 2_u32;
            while !taken.insert(key.clone()) {
                key = format!("{}-{n}", rule.event);
                n = n.saturating_add(1);
            }
            rule.key = key;
        }
    }

    /// Every fault that types alone let through.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (list, len) in
            [("point_rules", self.point_rules.len()), ("levels", self.levels.len()), ("prizes", self.prizes.len())]
        {
            if len > MAX_LIST {
                faults.push((format!("/{list}"), "too_many", format!("There may be at most {MAX_LIST}.")));
            }
        }
        let mut keys = HashSet::new();
        for (n, rule) in self.point_rules.iter().enumerate() {
            rule.faults(&format!("/point_rules/{n}"), &mut faults);
            if !rule.key.is_empty() && !keys.insert(rule.key.as_str()) {
                faults.push((format!("/point_rules/{n}/key"), "duplicate_key", "Another rule has this key.".into()));
            }
        }
        self.level_faults(&mut faults);
        if let TeamScore::TopK(k) = self.team_score
            && !k.holds()
        {
            faults.push(("/team_score/top_k".into(), "out_of_range", "top_k lies between 1 and 1,000.".into()));
        }
        if self.team_size_limit.is_some_and(|n| n == 0) {
            faults.push(("/team_size_limit".into(), "out_of_range", "A team has room for at least one.".into()));
        }
        if self.season_days.is_some_and(|n| !(1..=3660).contains(&n)) {
            faults.push(("/season_days".into(), "out_of_range", "A season lasts 1 to 3,660 days.".into()));
        }
        if let Some(leagues) = &self.leagues {
            leagues.faults(&mut faults);
        }
        for (name, limit) in [
            ("max_points_per_hour", self.guard.and_then(|g| g.max_points_per_hour)),
            ("max_awards_per_minute", self.guard.and_then(|g| g.max_awards_per_minute)),
        ] {
            if limit.is_some_and(|n| n < 1) {
                faults.push((format!("/guard/{name}"), "out_of_range", "This must be at least 1.".into()));
            }
        }
        for (n, prize) in self.prizes.iter().enumerate() {
            if prize.title.trim().is_empty() || prize.title.chars().count() > 200 {
                faults.push((format!("/prizes/{n}/title"), "length", "A title has 1 to 200 characters.".into()));
            }
            if prize.from < 1 || prize.to < prize.from || prize.to > 1000 {
                let detail = "Ranks begin with 1, `to` is not before `from`, and at most 1,000.";
                faults.push((format!("/prizes/{n}/to"), "out_of_range", detail.into()));
            }
        }
        faults
    }

    fn level_faults(&self, faults: &mut Vec<Fault>) {
        let mut names = HashSet::new();
        for (n, level) in self.levels.iter().enumerate() {
            if level.name.trim().is_empty() || level.name.chars().count() > 100 {
                faults.push((format!("/levels/{n}/name"), "length", "A name has 1 to 100 characters.".into()));
            } else if !names.insert(level.name.as_str()) {
                faults.push((format!("/levels/{n}/name"), "duplicate_name", "Another level has this name.".into()));
            }
            if !(0..=MAX_POINTS).contains(&level.points) {
                faults.push((format!("/levels/{n}/points"), "out_of_range", "Points lie between 0 and 10^9.".into()));
            }
        }
        for (n, pair) in self.levels.windows(2).enumerate() {
            if let [low, high] = pair
                && low.points >= high.points
            {
                let detail = "Levels stand in order, each with more points than the one before.";
                faults.push((format!("/levels/{}/points", n.saturating_add(1)), "not_ascending", detail.into()));
            }
        }
    }

    /// The level that so many points reach: its number, beginning with 1, and itself.
    #[must_use]
    pub fn level_of(&self, points: i64) -> Option<(u32, &Level)> {
        let reached = self.levels.iter().take_while(|level| level.points <= points).count();
        let level = self.levels.get(reached.checked_sub(1)?)?;
        Some((u32::try_from(reached).ok()?, level))
    }

    /// The level after it.
    #[must_use]
    pub fn next_level(&self, points: i64) -> Option<&Level> {
        self.levels.iter().find(|level| level.points > points)
    }
}

impl LeagueRules {
    fn faults(&self, faults: &mut Vec<Fault>) {
        let at = |name: &str| format!("/leagues/{name}");
        if !matches!(self.period, super::period::Period::Week | super::period::Period::Month) {
            faults.push((at("period"), "invalid", "Leagues are played by week or by month.".into()));
        }
        let named = |name: &String| !name.trim().is_empty() && name.chars().count() <= 100;
        if !(1..=20).contains(&self.tiers.len()) || !self.tiers.iter().all(named) {
            faults.push((at("tiers"), "length", "There are 1 to 20 tiers with names of 1 to 100 characters.".into()));
        }
        let mut names = HashSet::new();
        for (n, _) in self.tiers.iter().enumerate().filter(|(_, name)| !names.insert(name.as_str())) {
            faults.push((at(&format!("tiers/{n}")), "duplicate_name", "Another tier has this name.".into()));
        }
        if !(2..=1000).contains(&self.group_size) {
            faults.push((at("group_size"), "out_of_range", "A group has 2 to 1,000 players.".into()));
        }
        if self.promote.saturating_add(self.relegate) > self.group_size {
            faults.push((at("promote"), "out_of_range", "No more can rise and fall than are in a group.".into()));
        }
    }
}

impl PointRule {
    fn faults(&self, at: &str, faults: &mut Vec<Fault>) {
        let mut add = |name: &str, code, detail: &str| faults.push((format!("{at}/{name}"), code, detail.to_owned()));
        if !self.key.is_empty() && !is_key(&self.key) {
            add("key", "invalid_key", "A key has 1 to 100 letters, digits, `.`, `_` or `-`.");
        }
        if matches!(self.event.split_once('.'), Some(("points" | "level" | "game", _))) {
            add("event", "feeds_itself", "Points cannot be given for points, levels or games.");
        } else if !deeds::earns_points(&self.event) {
            let known = deeds::names_for_points().collect::<Vec<_>>().join(", ");
            add(
                "event",
                "unknown_event",
                &format!("Points cannot be given for `{}`; they can for {known}.", self.event),
            );
        }
        if !(1..=MAX_POINTS).contains(&self.points) {
            add("points", "out_of_range", "Points lie between 1 and 10^9.");
        }
        for (name, value) in [
            ("cap_per_day", self.cap_per_day),
            ("cap_total", self.cap_total),
            ("min_interval_seconds", self.min_interval_seconds),
        ] {
            if value.is_some_and(|n| n < 1) {
                add(name, "out_of_range", "This must be at least 1.");
            }
        }
        if self.streak_days.is_some_and(|n| !(2..=366).contains(&n)) {
            add("streak_days", "out_of_range", "A streak has 2 to 366 days.");
        }
        if let Some(condition) = &self.only_where {
            condition.each_leaf(&mut |leaf| match leaf {
                Condition::Attempts(_) | Condition::Elapsed(_) | Condition::Inactive(_) => {
                    add("where", "leaf_not_possible", "`attempts`, `elapsed` and `inactive` make no sense here.");
                }
                Condition::Competency(_) | Condition::Behind(_) => {
                    let detail = "Use the events competency.mastered and competency.behind.";
                    add("where", "leaf_not_possible", detail);
                }
                Condition::Attribute(leaf) => {
                    let fits = match leaf.op {
                        AttributeOp::Exists => leaf.value.is_none(),
                        AttributeOp::In => leaf.value.as_ref().is_some_and(serde_json::Value::is_array),
                        AttributeOp::StartsWith => leaf.value.as_ref().is_some_and(serde_json::Value::is_string),
                        _ => leaf.value.is_some(),
                    };
                    if !fits {
                        add("where", "impossible_condition", "The value does not fit the comparison.");
                    }
                }
                _ => {}
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(name: &str, points: i64) -> Level {
        Level { name: name.into(), points }
    }

    #[test]
    fn levels_are_reached_at_their_points() {
        let settings = Settings { levels: vec![level("a", 0), level("b", 10), level("c", 100)], ..Settings::default() };
        for (points, number) in [(-1, None), (0, Some(1)), (9, Some(1)), (10, Some(2)), (99, Some(2)), (5000, Some(3))]
        {
            assert_eq!(settings.level_of(points).map(|(n, _)| n), number, "{points}");
        }
        assert_eq!(settings.next_level(10).map(|l| l.points), Some(100));
        assert_eq!(settings.next_level(100), None);
    }

    #[test]
    fn all_faults_are_named_at_once() {
        let rule = |text: &str| serde_json::from_str::<PointRule>(text).unwrap();
        let settings = Settings {
            point_rules: vec![
                rule(r#"{"event": "nonsense", "points": 0}"#),
                rule(r#"{"key": "a", "event": "points.awarded", "points": 5, "cap_per_day": 0}"#),
                rule(r#"{"key": "a", "event": "module.completed", "points": 5, "streak_days": 1}"#),
            ],
            levels: vec![level("x", 10), level("x", 5)],
            team_score: TeamScore::TopK(Within(0)),
            ..Settings::default()
        };
        let pointers: Vec<String> = settings.faults().into_iter().map(|(at, ..)| at).collect();
        for at in [
            "/point_rules/0/event",
            "/point_rules/0/points",
            "/point_rules/1/event",
            "/point_rules/1/cap_per_day",
            "/point_rules/2/streak_days",
            "/point_rules/2/key",
            "/levels/1/name",
            "/levels/1/points",
            "/team_score/top_k",
        ] {
            assert!(pointers.iter().any(|p| p == at), "{at} is missing in {pointers:?}");
        }
    }

    #[test]
    fn rules_without_a_key_get_one_that_is_free() {
        let rule = |text: &str| serde_json::from_str::<PointRule>(text).unwrap();
        let mut settings = Settings {
            point_rules: vec![
                rule(r#"{"event": "quiz.passed", "points": 1}"#),
                rule(r#"{"event": "quiz.passed", "points": 2}"#),
            ],
            ..Settings::default()
        };
        settings.name_rules();
        let keys: Vec<&str> = settings.point_rules.iter().map(|r| r.key.as_str()).collect();
        assert_eq!(keys, ["quiz.passed", "quiz.passed-2"]);
    }
}
