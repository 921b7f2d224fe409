//! The history of a game, scored from its beginning with what is known of it now: deeds that were undone never happened, scores
//! that were corrected were always so. A replay books the difference to the ledger; the live game, when a deed is undone or
//! corrected, books the difference that this makes, so that both come to the same.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::ledger::{Due, Entry};
use super::points::Occurrence;
use super::scorer::{Award, Scorer};
use super::settings::PointRule;
use super::standing::stands;
use crate::domain::facts::LearnerFacts;

/// Scores that took the place of the one in an event.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Corrected {
    latest: f64,
    best: f64,
}

/// What became of events after they happened.
#[derive(Debug, Clone, Default)]
pub struct Past {
    undone: HashSet<Uuid>,
    scores: HashMap<Uuid, Corrected>,
    /// What was taken back by hand of single rules, and when.
    taken: HashMap<(Uuid, String), DateTime<Utc>>,
    /// Events of which all was taken back by hand: that holds for every rule.
    whole: HashMap<Uuid, DateTime<Utc>>,
    /// Where what was given is kept: the events that count though they were undone.
    kept: Option<HashSet<Uuid>>,
}

impl Past {
    /// An event was undone.
    pub fn undo(&mut self, event: Uuid) {
        self.undone.insert(event);
    }

    /// The score of an event was corrected.
    pub fn rescore(&mut self, event: Uuid, score: f64) {
        let best = self.scores.get(&event).map_or(score, |known| known.best.max(score));
        self.scores.insert(event, Corrected { latest: score, best });
    }

    /// What a rule gave for an event was taken back by hand.
    pub fn take(&mut self, event: Uuid, rule: String, at: DateTime<Utc>) {
        self.taken.insert((event, rule), at);
    }

    /// All that was given for an event was taken back by hand.
    pub fn take_all(&mut self, event: Uuid, at: DateTime<Utc>) {
        self.whole.insert(event, at);
    }

    /// The same where nothing is taken back by itself: these of the events that were undone count all the same, and the best score
    /// that an event ever had.
    #[must_use]
    pub fn keeping(mut self, kept: HashSet<Uuid>) -> Self {
        self.kept = Some(kept);
        self
    }

    /// Events that were undone.
    #[must_use]
    pub fn undone(&self) -> &HashSet<Uuid> {
        &self.undone
    }

    /// When what a rule gives for an event was taken back by hand.
    #[must_use]
    pub fn taken_at(&self, event: Uuid, rule: &str) -> Option<DateTime<Utc>> {
        self.taken.get(&(event, rule.to_owned())).or_else(|| self.whole.get(&event)).copied()
    }

    /// Whether what was given stands as it is, whatever the rules say: somebody took it back by hand, or it is kept though its
    /// cause was undone.
    #[must_use]
    pub fn settled(&self, event: Uuid, rule: &str) -> bool {
        self.taken_at(event, rule).is_some() || (self.kept.is_some() && self.undone.contains(&event))
    }

    /// Whether a rule goes by an event as if it had never been, though what was given for undone events is kept: what it gave for
    /// this one was taken back after all.
    #[must_use]
    pub fn never(&self, event: Uuid, rule: &str) -> bool {
        self.kept.is_some() && self.undone.contains(&event) && self.taken_at(event, rule).is_some()
    }

    /// An event as it counts now, if it does.
    #[must_use]
    pub fn seen<'a>(&self, event: &'a Occurrence) -> Option<Cow<'a, Occurrence>> {
        let id = event.event_id;
        if self.undone.contains(&id) && self.kept.as_ref().is_none_or(|kept| !kept.contains(&id)) {
            return None;
        }
        let Some(corrected) = self.scores.get(&id) else { return Some(Cow::Borrowed(event)) };
        let score = match (&self.kept, event.score()) {
            (Some(_), Some(first)) => corrected.best.max(first),
            (Some(_), None) => corrected.best,
            (None, _) => corrected.latest,
        };
        let mut event = event.clone();
        if let Some(data) = event.data.as_object_mut() {
            data.insert("score_percent".into(), json!(score));
        }
        Some(Cow::Owned(event))
    }
}

/// Points that are given in the course of the history and taken back by hand later in it.
#[derive(Debug, Clone)]
struct Lent {
    until: DateTime<Utc>,
    award: Award,
    at: DateTime<Utc>,
}

/// A history that is being scored, deed by deed.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// What players have had of each rule.
    pub scorer: Scorer,
    /// What is due, without what is settled.
    pub due: Vec<Due>,
    lent: HashMap<Uuid, Vec<Lent>>,
}

impl History {
    /// Scores the next deed, of a player who was in this team then.
    pub fn deed(
        &mut self,
        rules: &[PointRule],
        event: &Occurrence,
        player: &LearnerFacts,
        team: Option<Uuid>,
        past: &Past,
    ) {
        self.settle(event.user, Some(event.at));
        let Some(event) = past.seen(event) else { return };
        let never = |rule: &PointRule| past.never(event.event_id, &rule.key);
        let rules: Cow<'_, [PointRule]> = if rules.iter().any(never) {
            rules.iter().filter(|rule| !never(rule)).cloned().collect()
        } else {
            Cow::Borrowed(rules)
        };
        for award in self.scorer.score(&rules, &event, player) {
            if let Some(until) = past.taken_at(event.event_id, &award.rule) {
                self.lent.entry(event.user).or_default().push(Lent { until, award, at: event.at });
            } else if !past.settled(event.event_id, &award.rule) {
                let entry = Entry { user: event.user, team, points: award.points, at: event.at };
                self.due.push(Due { event: Some(event.event_id), rule: Some(award.rule), entry });
            }
        }
    }

    /// Ends the history: what was taken back after the last deed is given back.
    #[must_use]
    pub fn ended(mut self) -> Self {
        for user in self.lent.keys().copied().collect::<Vec<_>>() {
            self.settle(user, None);
        }
        self
    }

    /// Gives back what was taken by hand before an instant, as the live game did at that point.
    fn settle(&mut self, user: Uuid, now: Option<DateTime<Utc>>) {
        let Some(lent) = self.lent.get_mut(&user) else { return };
        for back in lent.extract_if(.., |lent| now.is_none_or(|now| lent.until <= now)) {
            self.scorer.give_back(user, &back.award, back.at);
        }
    }
}

/// What follows from a change of the past for what one rule gives for one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consequence {
    /// The event and the rule, with player, team and instant; the points are those that are due now.
    pub due: Due,
    /// How many more, or fewer, these are than before.
    pub change: i64,
}

impl Consequence {
    /// What is to be booked, given what the ledger has of it and what people corrected of that by hand: what they corrected holds
    /// for what is due now as it held for what was due then. Rules may have been changed since and not replayed: then what is due by
    /// the present ones is not what was given by those of then, and no more is booked than the change of the past explains.
    #[must_use]
    pub fn to_book(&self, given: i64, by_hand: i64) -> i64 {
        let due = self.due.entry.points;
        let stood = stands(due.saturating_sub(self.change), by_hand);
        let stands = stands(due, by_hand);
        let change = stands.saturating_sub(stood);
        let missing = stands.saturating_sub(given);
        if due == 0 {
            missing.min(0)
        } else if change > 0 {
            missing.clamp(0, change)
        } else {
            missing.clamp(change, 0)
        }
    }
}

/// An event, a rule and a player.
type Cause<'a> = (Option<Uuid>, Option<&'a str>, Uuid);

/// Compares what was due with what is due now, by event and rule; what is the same is left out.
#[must_use]
pub fn consequences(before: &[Due], after: &[Due]) -> Vec<Consequence> {
    let mut all: BTreeMap<Cause<'_>, (&Due, i64, i64)> = BTreeMap::new();
    for (list, now) in [(before, false), (after, true)] {
        for due in list {
            let key = (due.event, due.rule.as_deref(), due.entry.user);
            let sum = all.entry(key).or_insert((due, 0, 0));
            let sum = if now { &mut sum.2 } else { &mut sum.1 };
            *sum = sum.saturating_add(due.entry.points);
        }
    }
    all.into_values()
        .filter(|(_, before, after)| before != after)
        .map(|(due, before, after)| Consequence {
            due: Due { entry: Entry { points: after, ..due.entry }, ..due.clone() },
            change: after.saturating_sub(before),
        })
        .collect()
}
