//! What the conditions of an outline ask about, and the few values of it that can make a difference.
//!
//! Between two constants that conditions name, nothing changes: one value for each gap and each constant stands for all others.
//! Where that is not so (texts that contain or begin with something, levels of a competency), the subject is not `exhaustive`, and
//! from a search that found nothing nothing follows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::Value;
use uuid::Uuid;

use super::records;
use crate::domain::condition::{AttributeLeaf, AttributeOp, Condition, ElapsedSince, ModuleIs, Required};
use crate::domain::facts::{
    BadgeFact, CompetencyFact, CourseFact, Facts, GameFact, GroupFact, HeldCertificate, Instant, LearnerFacts,
    ModuleRecord,
};
use crate::domain::mastery::Level;
use crate::domain::outline::{Compiled, ModuleIx};

/// Something that conditions ask about. The order is that in which values are applied: the time first, then what is counted from it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    Clock,
    Module(ModuleIx),
    /// The completion of a module, by how long it is ago.
    Since(ModuleIx),
    Enrolled,
    Cohort,
    Idle,
    Attribute(String),
    Group(Uuid),
    Badge(Uuid),
    Certificate(Uuid),
    Course(Uuid),
    Game(Uuid),
    Mastery(Uuid),
    Behind(Uuid),
    /// The branch that is chosen in a stage; no condition asks for it.
    Stage(usize),
}

/// What is so of a subject.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fact {
    At(Instant),
    Record(Option<Arc<ModuleRecord>>),
    SecondsAgo(u64),
    Value(Option<Value>),
    Is(bool),
    /// Held, and if so whether valid.
    Held(Option<bool>),
    /// Enrolled, and if so whether completed.
    Taken(Option<bool>),
    Game(i64, u32),
    Mastery(Option<f64>),
    DaysBehind(Option<u32>),
    Branch(usize),
}

/// Facts by what they are about.
pub(super) type Assignment = BTreeMap<Subject, Fact>;

/// Constants that conditions compare a subject with.
#[derive(Debug, Default)]
pub(super) struct Constants {
    values: Vec<Value>,
    /// Texts that it is to begin with, then texts that it is to contain.
    parts: Vec<(String, bool)>,
    pub(super) scores: Vec<f64>,
    pub(super) attempts: BTreeSet<u32>,
    pub(super) instants: BTreeSet<Instant>,
    pub(super) seconds: BTreeSet<u64>,
    points: BTreeSet<i64>,
    numbers: BTreeSet<u32>,
    masteries: Vec<f64>,
    levels: BTreeSet<String>,
}

/// All subjects of an outline.
pub(super) struct Subjects<'a> {
    pub(super) outline: &'a Compiled,
    pub(super) now: Instant,
    constants: BTreeMap<Subject, Constants>,
    scores: BTreeMap<ModuleIx, Option<Vec<f64>>>,
}

/// What a leaf asks about.
fn subjects_of(outline: &Compiled, leaf: &Condition, into: &mut BTreeSet<Subject>) {
    let module = |key: &str| outline.ix(key).map(Subject::Module);
    let subject = match leaf {
        Condition::Module(leaf) => return into.extend(module(&leaf.key)),
        Condition::Score(leaf) => return into.extend(module(&leaf.module)),
        Condition::Attempts(leaf) => return into.extend(module(&leaf.module)),
        Condition::Elapsed(leaf) => match &leaf.since {
            ElapsedSince::Enrolled => Subject::Enrolled,
            ElapsedSince::CohortStart => Subject::Cohort,
            ElapsedSince::Module(key) => {
                let Some(ix) = outline.ix(key) else { return };
                into.insert(Subject::Module(ix));
                Subject::Since(ix)
            }
        },
        Condition::Certificate(leaf) => Subject::Certificate(leaf.course),
        Condition::Course(leaf) => Subject::Course(leaf.id),
        Condition::Badge(leaf) => Subject::Badge(leaf.id),
        Condition::Points(leaf) => Subject::Game(leaf.game),
        Condition::Level(leaf) => Subject::Game(leaf.game),
        Condition::Competency(leaf) => Subject::Mastery(leaf.id),
        Condition::Behind(leaf) => Subject::Behind(leaf.competency),
        Condition::Group(leaf) => Subject::Group(leaf.id),
        Condition::Attribute(leaf) => Subject::Attribute(leaf.name.clone()),
        Condition::Date(_) => Subject::Clock,
        Condition::Inactive(_) => Subject::Idle,
        Condition::All(_) | Condition::Any(_) | Condition::Not(_) => return,
    };
    into.insert(subject);
}

impl<'a> Subjects<'a> {
    /// The subjects of an outline, for learners who begin now.
    pub(super) fn new(outline: &'a Compiled, now: Instant) -> Self {
        let mut constants: BTreeMap<Subject, Constants> = BTreeMap::new();
        outline.each_condition(|condition| {
            condition.each_leaf(&mut |leaf| {
                let mut about = BTreeSet::new();
                subjects_of(outline, leaf, &mut about);
                about.into_iter().for_each(|subject| constants.entry(subject).or_default().add(leaf));
            });
        });
        let quizzes = (0..outline.module_count()).filter_map(|ix| outline.module(ix).quiz().map(|quiz| (ix, quiz)));
        let scores = quizzes.map(|(ix, quiz)| (ix, crate::domain::quiz::achievable_scores(quiz))).collect();
        Self { outline, now, constants, scores }
    }

    /// The scores that a quiz can give, if they can be told.
    pub(super) fn scores(&self, ix: ModuleIx) -> Option<&[f64]> {
        self.scores.get(&ix)?.as_deref()
    }

    /// What conditions compare a subject with.
    pub(super) fn constants(&self, subject: &Subject) -> Option<&Constants> {
        self.constants.get(subject)
    }

    /// What these conditions ask about, with what decides whether a module they ask about is tested out.
    pub(super) fn asked(&self, conditions: &[&Condition]) -> BTreeSet<Subject> {
        let mut asked = BTreeSet::new();
        for condition in conditions {
            condition.each_leaf(&mut |leaf| {
                subjects_of(self.outline, leaf, &mut asked);
                let waivable = match leaf {
                    Condition::Module(leaf) if leaf.is == ModuleIs::Completed => self.outline.ix(&leaf.key),
                    _ => None,
                };
                if let Some(when) = waivable.and_then(|ix| self.outline.module(ix).waive_when.as_ref()) {
                    when.each_leaf(&mut |leaf| subjects_of(self.outline, leaf, &mut asked));
                }
            });
        }
        asked
    }

    /// The values of a subject that make a difference, and whether there are no others. `open` is whether a module can be opened.
    pub(super) fn values(&self, subject: &Subject, open: bool, excused: bool) -> (Vec<Fact>, bool) {
        let none = Constants::default();
        let known = self.constants.get(subject).unwrap_or(&none);
        let facts = match subject {
            Subject::Clock => {
                let later = known.instants.iter().filter(|at| **at > self.now);
                std::iter::once(&self.now).chain(later).map(|at| Fact::At(*at)).collect()
            }
            Subject::Module(ix) => {
                records::of(self.outline.module(*ix), self.scores(*ix), known, open, excused, self.now)
            }
            Subject::Since(_) | Subject::Enrolled | Subject::Cohort | Subject::Idle => {
                let all: BTreeSet<u64> = std::iter::once(0).chain(known.seconds.iter().copied()).collect();
                all.into_iter().map(Fact::SecondsAgo).collect()
            }
            Subject::Attribute(_) => known.attribute(),
            Subject::Group(_) | Subject::Badge(_) => vec![Fact::Is(true), Fact::Is(false)],
            Subject::Certificate(_) => [Some(true), None, Some(false)].map(Fact::Held).to_vec(),
            Subject::Course(_) => [Some(true), None, Some(false)].map(Fact::Taken).to_vec(),
            Subject::Game(_) => {
                let below = known.points.iter().map(|n| n.saturating_sub(1)).min().unwrap_or(0).min(0);
                let points: BTreeSet<i64> = known.points.iter().copied().chain([below]).collect();
                let levels: BTreeSet<u32> = known.numbers.iter().copied().chain([0]).collect();
                points.iter().rev().flat_map(|p| levels.iter().rev().map(|l| Fact::Game(*p, *l))).collect()
            }
            Subject::Mastery(_) => {
                let mut values = vec![Some(1.0), None, Some(0.0)];
                values.extend(known.masteries.iter().copied().map(Some));
                values.into_iter().map(Fact::Mastery).collect()
            }
            Subject::Behind(_) => {
                std::iter::once(None).chain(known.numbers.iter().copied().map(Some)).map(Fact::DaysBehind).collect()
            }
            Subject::Stage(_) => Vec::new(),
        };
        (facts, known.parts.is_empty() && known.levels.is_empty())
    }

    /// Makes a fact so. Mastery has its levels, all at 0.8.
    pub(super) fn apply(&self, subject: &Subject, fact: &Fact, facts: &mut Facts, now: &mut Instant) {
        let before = |seconds: u64| {
            let span = i64::try_from(seconds).ok().and_then(TimeDelta::try_seconds);
            span.and_then(|span| now.checked_sub_signed(span)).unwrap_or(Instant::MIN_UTC)
        };
        match (subject, fact) {
            (Subject::Clock, Fact::At(at)) => *now = *at,
            (Subject::Module(ix), Fact::Record(record)) => {
                if let Some(slot) = facts.records.get_mut(*ix) {
                    slot.clone_from(record);
                }
            }
            (Subject::Since(ix), Fact::SecondsAgo(seconds)) => {
                if facts.record(*ix).is_some_and(|record| record.completed_at.is_some()) {
                    facts.record_mut(*ix).completed_at = Some(before(*seconds));
                }
            }
            (Subject::Enrolled, Fact::SecondsAgo(seconds)) => facts.enrolled_at = before(*seconds),
            (Subject::Cohort, Fact::SecondsAgo(seconds)) => facts.cohort_start_at = Some(before(*seconds)),
            (Subject::Idle, Fact::SecondsAgo(seconds)) => facts.last_event_at = Some(before(*seconds)),
            _ => self.apply_outside(subject, fact, Arc::make_mut(&mut facts.learner), *now),
        }
    }

    /// Makes a fact so that lies outside of the course.
    pub(super) fn apply_outside(&self, subject: &Subject, fact: &Fact, learner: &mut LearnerFacts, now: Instant) {
        match (subject, fact) {
            (Subject::Attribute(name), Fact::Value(Some(value))) => {
                learner.attributes.insert(name.clone(), value.clone());
            }
            (Subject::Attribute(name), Fact::Value(None)) => drop(learner.attributes.remove(name)),
            (Subject::Group(group), Fact::Is(member)) => {
                learner.groups.retain(|fact| fact.group != *group);
                learner.groups.push(GroupFact { group: *group, member: *member });
            }
            (Subject::Badge(badge), Fact::Is(held)) => {
                learner.badges.retain(|fact| fact.badge != *badge);
                learner.badges.push(BadgeFact { badge: *badge, held: *held });
            }
            (Subject::Certificate(course), Fact::Held(held)) => {
                learner.certificates.retain(|fact| fact.course != *course);
                learner.certificates.extend(held.map(|valid| HeldCertificate {
                    course: *course,
                    issued_at: now,
                    expires_at: None,
                    revoked: !valid,
                }));
            }
            (Subject::Course(course), Fact::Taken(taken)) => {
                learner.courses.retain(|fact| fact.course != *course);
                learner.courses.extend(taken.map(|completed| CourseFact { course: *course, completed }));
            }
            (Subject::Game(game), Fact::Game(points, level)) => {
                learner.games.retain(|fact| fact.game != *game);
                learner.games.push(GameFact { game: *game, points: *points, level: *level });
            }
            (Subject::Mastery(id), Fact::Mastery(mastery)) => {
                self.competency(learner, *id, |fact| fact.mastery = *mastery)
            }
            (Subject::Behind(id), Fact::DaysBehind(days)) => self.competency(learner, *id, |fact| {
                let due = days.and_then(|days| now.checked_sub_signed(TimeDelta::days(days.into())));
                // Everybody proves what they can; who is behind is held to a mastery that nobody reaches.
                fact.dues = due.into_iter().map(|due| (due, 2.0)).collect();
            }),
            _ => {}
        }
    }

    fn competency(&self, learner: &mut LearnerFacts, id: Uuid, change: impl FnOnce(&mut CompetencyFact)) {
        if learner.competency(id).is_none() {
            let names = self.constants(&Subject::Mastery(id)).into_iter().flat_map(|known| &known.levels);
            let levels = names.map(|name| Level { name: name.clone(), at_least: 0.8 }).collect();
            learner.competencies.push(CompetencyFact { competency: id, levels, ..CompetencyFact::default() });
        }
        if let Some(fact) = learner.competencies.iter_mut().find(|fact| fact.competency == id) {
            change(fact);
        }
    }
}

impl Constants {
    fn add(&mut self, leaf: &Condition) {
        match leaf {
            Condition::Score(leaf) => self.scores.extend(leaf.at_least.into_iter().chain(leaf.below)),
            Condition::Attempts(leaf) => drop(self.attempts.insert(leaf.at_least)),
            Condition::Elapsed(leaf) => drop(self.seconds.insert(leaf.at_least_seconds)),
            Condition::Inactive(leaf) => drop(self.seconds.insert(u64::from(leaf.days).saturating_mul(86_400))),
            Condition::Date(leaf) => self.instants.extend(leaf.from.into_iter().chain(leaf.until)),
            Condition::Points(leaf) => drop(self.points.insert(leaf.at_least)),
            Condition::Level(leaf) => drop(self.numbers.insert(leaf.at_least)),
            Condition::Behind(leaf) => drop(self.numbers.insert(leaf.days)),
            Condition::Competency(leaf) => match &leaf.at_least {
                Required::Mastery(at_least) => self.masteries.push(*at_least),
                Required::Level(name) => drop(self.levels.insert(name.clone())),
            },
            Condition::Attribute(leaf) => self.add_attribute(leaf),
            _ => {}
        }
    }

    fn add_attribute(&mut self, leaf: &AttributeLeaf) {
        match (leaf.op, &leaf.value) {
            (AttributeOp::In, Some(Value::Array(list))) => self.values.extend(list.iter().cloned()),
            (AttributeOp::Contains, Some(value)) => {
                self.parts.extend(value.as_str().map(|text| (text.to_owned(), false)));
                self.values.push(Value::Array(vec![value.clone()]));
            }
            (AttributeOp::StartsWith, Some(Value::String(text))) => self.parts.push((text.clone(), true)),
            (_, Some(value)) => self.values.push(value.clone()),
            (_, None) => {}
        }
    }

    /// Each constant, something else, nothing; texts made of the parts, and lists of all members.
    fn attribute(&self) -> Vec<Fact> {
        let mut values = self.values.clone();
        let mut other = "something else".to_owned();
        while values.iter().any(|value| value.as_str() == Some(&other)) {
            other.push('!');
        }
        values.push(other.into());
        values.push(Value::Array(self.values.iter().filter_map(Value::as_array).flatten().cloned().collect()));
        let texts = |first: bool| self.parts.iter().filter(move |(_, begins)| *begins == first).map(|(text, _)| text);
        let inner: String = texts(false).map(String::as_str).collect::<Vec<_>>().join(" ");
        values.extend(texts(false).cloned().map(Value::from));
        values.push(inner.clone().into());
        values.extend(texts(true).flat_map(|text| [Value::from(text.clone()), format!("{text} {inner}").into()]));
        values.dedup();
        values.into_iter().map(|value| Fact::Value(Some(value))).chain([Fact::Value(None)]).collect()
    }
}
