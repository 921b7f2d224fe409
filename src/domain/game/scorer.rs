//! Scores events by all rules of a game, one after the other. The same code serves the live game and its replay: live, what
//! players have had is loaded for those at hand; a replay begins with nothing and is fed the whole log.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::points::{Occurrence, Progress, condition_holds, judge};
use super::settings::{PointRule, Repeat};
use crate::domain::facts::LearnerFacts;

/// Points that a rule gives for an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Award {
    /// Key of the rule.
    pub rule: String,
    /// What it was for, as [`Occurrence::thing`] says.
    pub thing: String,
    /// How many.
    pub points: i64,
}

/// A rule's key and a player.
pub type Account = (String, Uuid);

/// What players have had so far.
#[derive(Debug, Clone, Default)]
pub struct Scorer {
    progress: HashMap<Account, Progress>,
    had: HashSet<(String, Uuid, String)>,
    touched: HashSet<Account>,
}

impl Scorer {
    /// Tells what a player has had of a rule.
    pub fn load(&mut self, rule: String, user: Uuid, progress: Progress) {
        self.progress.insert((rule, user), progress);
    }

    /// Tells that a rule gave a player points for a thing.
    pub fn load_thing(&mut self, rule: String, user: Uuid, thing: String) {
        self.had.insert((rule, user, thing));
    }

    /// Forgets that a rule gave a player points for a thing: rule, player, thing.
    pub fn forget_thing(&mut self, had: &(String, Uuid, String)) {
        self.had.remove(had);
    }

    /// Scores one event by every rule.
    pub fn score(&mut self, rules: &[PointRule], event: &Occurrence, player: &LearnerFacts) -> Vec<Award> {
        let mut awards = Vec::new();
        for rule in rules.iter().filter(|rule| rule.event == event.kind) {
            if rule.only_where.as_ref().is_some_and(|only| !condition_holds(only, event, player)) {
                continue;
            }
            let account = (rule.key.clone(), event.user);
            let had = (rule.key.clone(), event.user, event.thing());
            let known = rule.repeat == Repeat::Each && self.had.contains(&had);
            let progress = self.progress.entry(account.clone()).or_default();
            let before = *progress;
            let verdict = judge(rule, progress, event, known);
            if before != *progress {
                self.touched.insert(account);
            }
            if let Ok(points) = verdict {
                awards.push(Award { rule: rule.key.clone(), thing: had.2.clone(), points });
                self.had.insert(had);
            }
        }
        awards
    }

    /// Takes account of points that were taken back by hand.
    pub fn give_back(&mut self, user: Uuid, award: &Award, at: DateTime<Utc>) {
        let account = (award.rule.clone(), user);
        self.had.remove(&(award.rule.clone(), user, award.thing.clone()));
        self.progress.entry(account.clone()).or_default().give_back(award.points, at);
        self.touched.insert(account);
    }

    /// The same when some of what was given for the thing is left.
    pub fn give_back_part(&mut self, user: Uuid, award: &Award, at: DateTime<Utc>) {
        let account = (award.rule.clone(), user);
        self.progress.entry(account.clone()).or_default().give_back_part(award.points, at);
        self.touched.insert(account);
    }

    /// What changed since it was loaded, in a stable order.
    #[must_use]
    pub fn changed(&self) -> Vec<(&Account, &Progress)> {
        let mut all: Vec<_> = self.touched.iter().filter_map(|account| self.progress.get_key_value(account)).collect();
        all.sort_by(|a, b| a.0.cmp(b.0));
        all
    }

    /// All accounts that were loaded or scored.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.progress.keys()
    }

    /// The things for which rules of these keys gave points: rule, player, thing.
    #[must_use]
    pub fn things(&self, rules: &HashSet<&str>) -> HashSet<(String, Uuid, String)> {
        self.had.iter().filter(|(rule, ..)| rules.contains(rule.as_str())).cloned().collect()
    }

    /// What a player has had of a rule.
    #[must_use]
    pub fn progress(&self, rule: &str, user: Uuid) -> Progress {
        self.progress.get(&(rule.to_owned(), user)).copied().unwrap_or_default()
    }
}
