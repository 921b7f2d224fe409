//! Hypothetical learners: how they do in quizzes, and what they bring along.

use chrono::TimeDelta;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::subjects::{Assignment, Subjects};
use crate::domain::condition::{AttributeLeaf, AttributeOp, Condition, CourseIs, Required};
use crate::domain::facts::{
    BadgeFact, CompetencyFact, CourseFact, GameFact, GroupFact, HeldCertificate, Instant, LearnerFacts,
};
use crate::domain::mastery::Level;
use crate::domain::outline::{Compiled, CompiledStage, StageShape};

/// How a hypothetical learner does in quizzes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Talent {
    /// Full marks.
    Expert,
    /// The pass mark, or what comes next to it.
    Average,
    /// Fails once, then passes.
    Struggling,
    /// Just fails as often as it takes nothing, passing only what must be.
    Weak,
}

/// What a hypothetical learner has outside of the course.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Profile {
    /// Such that conditions on it hold.
    Fitting,
    /// Such that they do not, although everything that they ask about is there.
    Unfitting,
    /// Nothing at all.
    Blank,
}

/// A kind of learner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) talent: Talent,
    /// What they bring along.
    pub(super) profile: Profile,
    /// Which branch of a choice they prefer.
    pub(super) branch: usize,
}

/// One learner: of a kind, but for what is known of them.
pub(super) struct Learner {
    pub(super) kind: Kind,
    pub(super) facts: Assignment,
}

pub(super) fn kinds(outline: &Compiled) -> Vec<Kind> {
    let most = |stage: &CompiledStage| match &stage.shape {
        StageShape::Choice { branches, .. } => branches.len(),
        StageShape::Sequence(_) => 1,
    };
    let branches = outline.stages.iter().map(most).max().unwrap_or(1).clamp(1, 8);
    let mut all = Vec::new();
    for branch in 0..branches {
        for talent in [Talent::Expert, Talent::Average, Talent::Struggling, Talent::Weak] {
            for profile in [Profile::Fitting, Profile::Unfitting, Profile::Blank] {
                all.push(Kind { talent, profile, branch });
            }
        }
    }
    all
}

impl Learner {
    /// What they bring along.
    pub(super) fn brings(&self, subjects: &Subjects<'_>) -> LearnerFacts {
        let mut facts = brought(subjects.outline, self.kind.profile, subjects.now);
        for (subject, fact) in &self.facts {
            subjects.apply_outside(subject, fact, &mut facts, subjects.now);
        }
        facts
    }
}

/// A learner for whom conditions on what lies outside of the course hold, or do not, or one with nothing.
fn brought(outline: &Compiled, profile: Profile, now: Instant) -> LearnerFacts {
    let mut facts = LearnerFacts::default();
    outline.each_condition(|condition| {
        condition.each_signed_leaf(false, &mut |leaf, negated| {
            let favoured = profile != Profile::Blank && (profile == Profile::Fitting) != negated;
            playing(&mut facts, leaf, favoured, now);
        });
    });
    if profile == Profile::Blank {
        return facts;
    }
    let mut attributes: Map<String, Value> = Map::new();
    outline.each_condition(|condition| {
        condition.each_signed_leaf(false, &mut |leaf, negated| {
            // Under `not`, a leaf that does not hold is what makes the condition hold.
            let wanted = (profile == Profile::Fitting) != negated;
            match leaf {
                Condition::Attribute(leaf) => {
                    if let Some(value) = attribute(leaf, wanted) {
                        attributes.entry(leaf.name.clone()).or_insert(value);
                    }
                }
                Condition::Certificate(leaf) if wanted => facts.certificates.push(HeldCertificate {
                    course: leaf.course,
                    issued_at: now,
                    expires_at: None,
                    revoked: false,
                }),
                Condition::Group(leaf) => facts.groups.push(GroupFact { group: leaf.id, member: wanted }),
                Condition::Course(leaf) if wanted => {
                    facts.courses.push(CourseFact { course: leaf.id, completed: leaf.is == CourseIs::Completed });
                }
                _ => {}
            }
        });
    });
    facts.attributes = attributes;
    facts
}

/// A value for which a comparison holds, or one for which it does not; none where only an absent one fits.
fn attribute(leaf: &AttributeLeaf, holds: bool) -> Option<Value> {
    let value = leaf.value.clone().unwrap_or(Value::Bool(true));
    let other = || Some(Value::from("something else"));
    match (leaf.op, holds) {
        (AttributeOp::Exists, false) => None,
        (AttributeOp::NotEquals, true) => other(),
        (AttributeOp::NotEquals, false) => Some(value),
        (_, false) => other(),
        (AttributeOp::In, true) => value.as_array().and_then(|list| list.first()).cloned(),
        (_, true) => Some(value),
    }
}

fn competency(facts: &mut LearnerFacts, id: Uuid) -> &mut CompetencyFact {
    let at = facts.competencies.iter().position(|fact| fact.competency == id).unwrap_or_else(|| {
        let fact = CompetencyFact { competency: id, ..CompetencyFact::default() };
        facts.competencies.push(fact);
        facts.competencies.len().saturating_sub(1)
    });
    #[expect(clippy::indexing_slicing, reason = "found or pushed just now")]
    &mut facts.competencies[at]
}

/// Badges, games and competencies exist for everyone; only the favoured have something in them.
fn playing(facts: &mut LearnerFacts, leaf: &Condition, favoured: bool, now: Instant) {
    let (game, points, level) = match leaf {
        Condition::Badge(leaf) => return facts.badges.push(BadgeFact { badge: leaf.id, held: favoured }),
        Condition::Points(leaf) => (leaf.game, leaf.at_least, 0),
        Condition::Level(leaf) => (leaf.game, 0, leaf.at_least),
        Condition::Competency(leaf) => {
            let fact = competency(facts, leaf.id);
            if let Required::Level(name) = &leaf.at_least
                && fact.levels.iter().all(|level| level.name != *name)
            {
                fact.levels.push(Level { name: name.clone(), at_least: 0.8 });
            }
            fact.mastery = favoured.then_some(1.0);
            return;
        }
        Condition::Behind(leaf) => {
            // Everybody proves what they can; who is not favoured is held to a mastery that nobody reaches.
            let fact = competency(facts, leaf.competency);
            return if favoured {
                fact.mastery = Some(1.0)
            } else {
                fact.dues = vec![(now - TimeDelta::days(40_000), 2.0)]
            };
        }
        _ => return,
    };
    let (points, level) = if favoured { (points, level) } else { (0, 0) };
    match facts.games.iter_mut().find(|fact| fact.game == game) {
        Some(fact) => (fact.points, fact.level) = (fact.points.max(points), fact.level.max(level)),
        None => facts.games.push(GameFact { game, points, level }),
    }
}
