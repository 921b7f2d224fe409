//! Badges by criteria: what a player must have for one.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::settings::{Fault, Settings};

/// What a player must have: all that is said here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"points": 500, "rules": [{"rule": "module.completed", "times": 10}]}))]
pub struct Criteria {
    /// So many points in the game.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub points: Option<i64>,
    /// This level, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// So many days in a row on which points were earned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 2, maximum = 3660)]
    pub streak_days: Option<u32>,
    /// So often points by these rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleTimes>,
    /// These other badges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub badges: Vec<Uuid>,
}

/// So often points by a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleTimes {
    /// Key of the point rule.
    pub rule: String,
    /// How often.
    #[serde(deserialize_with = "crate::domain::bounds::formatted")]
    #[schema(minimum = 1)]
    pub times: u32,
}

/// What a player has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Having {
    /// Points in the game.
    pub points: i64,
    /// The longest run of days.
    pub longest_streak: i64,
    /// How often each rule gave points.
    pub times: HashMap<String, i64>,
    /// Badges held.
    pub badges: BTreeSet<Uuid>,
}

impl Criteria {
    /// True when nothing is asked, so that nobody would get it by criteria.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a player has all of it.
    #[must_use]
    pub fn met(&self, settings: &Settings, having: &Having) -> bool {
        !self.is_empty()
            && self.points.is_none_or(|points| having.points >= points)
            && self.level.as_ref().is_none_or(|name| {
                settings.levels.iter().any(|level| level.name == *name && having.points >= level.points)
            })
            && self.streak_days.is_none_or(|days| having.longest_streak >= i64::from(days))
            && self
                .rules
                .iter()
                .all(|need| having.times.get(&need.rule).copied().unwrap_or_default() >= i64::from(need.times))
            && self.badges.iter().all(|badge| having.badges.contains(badge))
    }

    /// Every fault that types alone let through. `known_badges` are those of the game, without this one.
    #[must_use]
    pub fn faults(&self, settings: &Settings, known_badges: &[Uuid]) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut add = |at: String, code, detail: &str| faults.push((format!("/criteria{at}"), code, detail.to_owned()));
        if self.is_empty() {
            add(String::new(), "empty", "Criteria ask for something; leave them out for a badge given by hand.");
        }
        if self.points.is_some_and(|points| points < 1) {
            add("/points".into(), "out_of_range", "This must be at least 1.");
        }
        if let Some(name) = &self.level
            && !settings.levels.iter().any(|level| level.name == *name)
        {
            add("/level".into(), "unknown_level", "The game has no such level.");
        }
        if self.streak_days.is_some_and(|days| !(2..=3660).contains(&days)) {
            add("/streak_days".into(), "out_of_range", "A streak has 2 to 3,660 days.");
        }
        for (n, need) in self.rules.iter().enumerate() {
            if !settings.point_rules.iter().any(|rule| rule.key == need.rule) {
                add(format!("/rules/{n}/rule"), "unknown_rule", "The game has no point rule of this key.");
            }
            if need.times < 1 {
                add(format!("/rules/{n}/times"), "out_of_range", "This must be at least 1.");
            }
        }
        for (n, badge) in self.badges.iter().enumerate() {
            if !known_badges.contains(badge) {
                add(format!("/badges/{n}"), "unknown_badge", "The game has no other badge of this id.");
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_that_is_asked_must_be_there() {
        let settings: Settings = serde_json::from_value(json!({
            "levels": [{"name": "Pro", "points": 100}],
            "point_rules": [{"key": "m", "event": "module.completed", "points": 1}]
        }))
        .unwrap();
        let other = Uuid::from_u128(5);
        let having =
            Having { points: 120, longest_streak: 3, times: [("m".to_owned(), 4)].into(), badges: [other].into() };
        for (criteria, met) in [
            (json!({}), false),
            (json!({"points": 120}), true),
            (json!({"points": 121}), false),
            (json!({"level": "Pro", "streak_days": 3}), true),
            (json!({"level": "Pro", "streak_days": 4}), false),
            (json!({"rules": [{"rule": "m", "times": 4}]}), true),
            (json!({"rules": [{"rule": "m", "times": 5}]}), false),
            (json!({"badges": [other]}), true),
            (json!({"badges": [Uuid::nil()]}), false),
        ] {
            let parsed: Criteria = serde_json::from_value(criteria.clone()).unwrap();
            assert_eq!(parsed.met(&settings, &having), met, "{criteria}");
        }
        let wrong: Criteria =
            serde_json::from_value(json!({"level": "No", "rules": [{"rule": "x", "times": 0}], "badges": [other]}))
                .unwrap();
        let at: Vec<String> = wrong.faults(&settings, &[]).into_iter().map(|(at, ..)| at).collect();
        assert_eq!(at, ["/criteria/level", "/criteria/rules/0/rule", "/criteria/rules/0/times", "/criteria/badges/0"]);
    }
}
