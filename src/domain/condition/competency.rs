//! The leaves about competencies.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Truth, later};
use crate::domain::facts::{CompetencyFact, Instant, LearnerFacts};
use crate::domain::mastery::behind::behind_days;
use crate::domain::mastery::{Level, level_of, reaches};

/// The learner has reached a mastery, or a level by its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"id": "0199c0de-0000-7000-8000-0000000000c1", "at_least": "mastered"}))]
pub struct CompetencyLeaf {
    /// Which.
    pub id: Uuid,
    /// Mastery from 0 to 1, or the name of a level.
    pub at_least: Required,
}

/// A mastery that is required: a number, or a level of the competency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = RequiredMastery)]
pub enum Required {
    /// From 0 to 1.
    Mastery(f64),
    /// A level's name.
    Level(String),
}

impl Required {
    /// The mastery that it asks for; `None` for a level that the competency does not have.
    #[must_use]
    pub fn threshold(&self, levels: &[Level]) -> Option<f64> {
        match self {
            Self::Mastery(at_least) => Some(*at_least),
            Self::Level(name) => levels.iter().find(|level| level.name == *name).map(|level| level.at_least),
        }
    }
}

/// The learner is so many days behind on a competency, in any course or goal in which it is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BehindLeaf {
    /// Which.
    pub competency: Uuid,
    /// Whole days since it was due.
    #[serde(deserialize_with = "crate::domain::bounds::formatted")]
    pub days: u32,
}

impl CompetencyLeaf {
    pub(super) fn judge(&self, learner: &LearnerFacts) -> (Truth, Value) {
        let Some(fact) = learner.competency(self.id) else { return (Truth::Missing, Value::Null) };
        let Some(threshold) = self.at_least.threshold(&fact.levels) else { return (Truth::Missing, Value::Null) };
        let level = level_of(fact.mastery, &fact.levels).map(|level| level.name.as_str());
        let actual = json!({"mastery": fact.mastery, "level": level});
        (fact.mastery.is_some_and(|mastery| reaches(mastery, threshold)).into(), actual)
    }
}

/// The most days by which the learner is behind.
fn most_behind(fact: &CompetencyFact, now: Instant) -> Option<i64> {
    fact.dues.iter().filter_map(|(due, at_least)| behind_days(fact.mastery, *at_least, *due, now)).max()
}

impl BehindLeaf {
    pub(super) fn judge(&self, learner: &LearnerFacts, now: Instant) -> (Truth, Value) {
        let Some(fact) = learner.competency(self.competency) else { return (Truth::Missing, Value::Null) };
        let days = most_behind(fact, now);
        (days.is_some_and(|days| days >= i64::from(self.days)).into(), json!(days))
    }

    /// When it comes to hold if the learner does nothing.
    pub(super) fn begins(&self, learner: &LearnerFacts) -> Option<Instant> {
        let fact = learner.competency(self.competency)?;
        let open = fact.dues.iter().filter(|(_, at_least)| !fact.mastery.is_some_and(|m| reaches(m, *at_least)));
        open.map(|(due, _)| later(*due, TimeDelta::days(self.days.into()))).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid::from_u128(1);

    fn learner(mastery: Option<f64>, due: Instant) -> LearnerFacts {
        let levels = vec![
            Level { name: "begun".to_owned(), at_least: 0.3 },
            Level { name: "mastered".to_owned(), at_least: 0.8 },
        ];
        let fact =
            CompetencyFact { competency: ID, mastery, levels, dues: vec![(due, 0.8)], ..CompetencyFact::default() };
        LearnerFacts { competencies: vec![fact], ..LearnerFacts::default() }
    }

    #[test]
    fn mastery_is_judged_by_number_and_by_level() {
        let truth = |mastery, at_least: Required| {
            CompetencyLeaf { id: ID, at_least }.judge(&learner(mastery, Instant::UNIX_EPOCH)).0
        };
        let level = |name: &str| Required::Level(name.to_owned());
        assert_eq!(truth(Some(0.8), Required::Mastery(0.8)), Truth::True);
        assert_eq!(truth(Some(0.79), level("mastered")), Truth::False);
        assert_eq!(truth(Some(0.79), level("begun")), Truth::True);
        assert_eq!(truth(None, Required::Mastery(0.0)), Truth::False);
        assert_eq!(truth(Some(1.0), level("unheard of")), Truth::Missing);
        let other = CompetencyLeaf { id: Uuid::from_u128(2), at_least: Required::Mastery(0.1) };
        assert_eq!(other.judge(&learner(Some(1.0), Instant::UNIX_EPOCH)).0, Truth::Missing);
    }

    #[test]
    fn behind_begins_by_itself_and_not_for_who_mastered() {
        let due = Instant::UNIX_EPOCH + TimeDelta::days(10);
        let leaf = BehindLeaf { competency: ID, days: 7 };
        let at = |days| Instant::UNIX_EPOCH + TimeDelta::days(days);
        assert_eq!(leaf.judge(&learner(None, due), at(16)).0, Truth::False);
        assert_eq!(leaf.judge(&learner(None, due), at(17)).0, Truth::True);
        assert_eq!(leaf.judge(&learner(Some(0.9), due), at(30)).0, Truth::False);
        assert_eq!(leaf.begins(&learner(None, due)), Some(at(17)));
        assert_eq!(leaf.begins(&learner(Some(0.9), due)), None);
    }
}
