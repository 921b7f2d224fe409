//! One condition language for access, waiving and routing: `all`, `any`, `not` over leaves.
//!
//! A leaf whose target does not exist is false, also under `not`. Adding a leaf: a variant here, its arms in [`Condition::holds`]
//! and [`Condition::explain`], its needs in `outline::compiled`, its check in `lint`.

mod competency;
mod leaves;

use chrono::{DurationRound, TimeDelta};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

pub use self::competency::{BehindLeaf, CompetencyLeaf, Required};
use super::bounds::LAST;
use super::facts::{Facts, Instant};
use super::outline::Compiled;

pub use self::leaves::*;
pub use super::bounds::later;

/// A condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(example = json!({"all": [{"module": {"key": "check", "is": "passed"}}, {"not": {"attribute": {"name": "site", "op": "equals", "value": "Lyon"}}}]}))]
pub enum Condition {
    /// All of these hold.
    #[schema(no_recursion)]
    All(Vec<Condition>),
    /// At least one of these holds.
    #[schema(no_recursion)]
    Any(Vec<Condition>),
    /// This does not hold.
    #[schema(no_recursion)]
    Not(Box<Condition>),
    /// A module of this course is so.
    Module(ModuleLeaf),
    /// The counted score of a module lies in `[at_least, below)`.
    Score(ScoreLeaf),
    /// So many attempts at a module are finished.
    Attempts(AttemptsLeaf),
    /// The learner holds a certificate of a course.
    Certificate(CertificateLeaf),
    /// The learner is in, or has completed, a course.
    Course(CourseLeaf),
    /// The learner holds a badge.
    Badge(BadgeLeaf),
    /// The learner has so many points in a game.
    Points(PointsLeaf),
    /// The learner has reached a level of a game.
    Level(LevelLeaf),
    /// The learner has reached a mastery or a level of a competency.
    Competency(CompetencyLeaf),
    /// The learner is so many days behind on a competency.
    Behind(BehindLeaf),
    /// The learner is in a group, or in a unit or one below it.
    Group(GroupLeaf),
    /// A profile attribute is so.
    Attribute(AttributeLeaf),
    /// It is the time.
    Date(DateLeaf),
    /// So long has passed.
    Elapsed(ElapsedLeaf),
    /// No learning event came for so long.
    Inactive(InactiveLeaf),
}

/// Whether a condition holds; `Missing` counts as false and stays false under `not`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// What it asks about does not exist.
    Missing,
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// Why something is locked: the condition tree with what is required, what is so, and whether that is enough.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Reason {
    /// A leaf.
    Leaf(LeafReason),
    /// All of these are needed.
    All {
        /// The parts.
        #[schema(no_recursion)]
        all: Vec<Reason>,
        /// Whether they hold.
        met: bool,
    },
    /// One of these is needed.
    Any {
        /// The parts.
        #[schema(no_recursion)]
        any: Vec<Reason>,
        /// Whether one holds.
        met: bool,
    },
    /// This must not hold.
    Not {
        /// The part.
        #[schema(no_recursion)]
        not: Box<Reason>,
        /// Whether it does not.
        met: bool,
    },
}

/// A leaf of the reasons: what is required, what is so.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(example = json!({"leaf": "module", "key": "welcome", "required": "completed", "actual": "available", "met": false}))]
pub struct LeafReason {
    /// Name of the leaf.
    pub leaf: &'static str,
    /// What it is about: a module, stage or branch key, a course id, an attribute's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What is required.
    #[schema(value_type = Value)]
    pub required: Value,
    /// What is so.
    #[schema(value_type = Value)]
    pub actual: Value,
    /// Whether that is enough.
    pub met: bool,
}

/// What a condition is judged by.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// The outline.
    pub outline: &'a Compiled,
    /// The facts.
    pub facts: &'a Facts,
    /// The time.
    pub now: Instant,
    /// Judging whether a module is tested out; what that hangs on is then judged by what was done alone, so it has an end.
    pub within_waiver: bool,
}

impl<'a> Env<'a> {
    /// To judge conditions of this outline by these facts at this time.
    #[must_use]
    pub fn new(outline: &'a Compiled, facts: &'a Facts, now: Instant) -> Self {
        Self { outline, facts, now, within_waiver: false }
    }
}

fn seconds(n: u64) -> TimeDelta {
    TimeDelta::try_seconds(i64::try_from(n).unwrap_or(i64::MAX)).unwrap_or(TimeDelta::MAX)
}

/// The time as reasons tell it. A path that is asked for again within the minute is the same text, so its ETag holds.
#[must_use]
pub fn to_the_minute(at: Instant) -> Instant {
    at.duration_trunc(TimeDelta::minutes(1)).unwrap_or(at)
}

impl Condition {
    /// Visits every leaf.
    pub fn each_leaf<'a>(&'a self, visit: &mut impl FnMut(&'a Condition)) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.each_leaf(visit)),
            Self::Not(part) => part.each_leaf(visit),
            leaf => visit(leaf),
        }
    }

    /// Visits every leaf, with whether it stands under an odd number of `not`s.
    pub fn each_signed_leaf<'a>(&'a self, negated: bool, visit: &mut impl FnMut(&'a Condition, bool)) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().for_each(|part| part.each_signed_leaf(negated, visit));
            }
            Self::Not(part) => part.each_signed_leaf(!negated, visit),
            leaf => visit(leaf, negated),
        }
    }

    /// Whether it holds.
    #[must_use]
    pub fn met(&self, env: Env<'_>) -> bool {
        self.holds(env) == Truth::True
    }

    fn holds(&self, env: Env<'_>) -> Truth {
        self.fold(&|leaf| leaf.judge(env).0)
    }

    /// Whether it holds for these profile attributes alone; a leaf about anything else counts as missing.
    #[must_use]
    pub fn met_by_attributes(&self, attributes: &serde_json::Map<String, Value>) -> bool {
        let truth = self.fold(&|leaf| match leaf {
            Self::Attribute(leaf) => leaf.judge(attributes).0,
            _ => Truth::Missing,
        });
        truth == Truth::True
    }

    /// Whether it holds, and whether what it asks about exists at all.
    #[must_use]
    pub fn truth(&self, env: Env<'_>) -> Truth {
        self.holds(env)
    }

    /// Joins what `judge` says of each leaf: for conditions that are not about a learner on a path.
    pub fn fold(&self, judge: &impl Fn(&Self) -> Truth) -> Truth {
        match self {
            Self::All(parts) => {
                let mut all = Truth::True;
                for part in parts {
                    match part.fold(judge) {
                        Truth::True => {}
                        Truth::False if all == Truth::True => all = Truth::False,
                        Truth::False => {}
                        Truth::Missing => all = Truth::Missing,
                    }
                }
                all
            }
            Self::Any(parts) => {
                let mut any = Truth::False;
                for part in parts {
                    match part.fold(judge) {
                        Truth::True => return Truth::True,
                        Truth::False => {}
                        Truth::Missing => any = Truth::Missing,
                    }
                }
                any
            }
            Self::Not(part) => match part.fold(judge) {
                Truth::True => Truth::False,
                Truth::False => Truth::True,
                Truth::Missing => Truth::Missing,
            },
            leaf => judge(leaf),
        }
    }

    /// The tree with what is so, for people who ask why.
    #[must_use]
    pub fn explain(&self, env: Env<'_>) -> Reason {
        match self {
            Self::All(parts) => Reason::All { all: parts.iter().map(|p| p.explain(env)).collect(), met: self.met(env) },
            Self::Any(parts) => Reason::Any { any: parts.iter().map(|p| p.explain(env)).collect(), met: self.met(env) },
            Self::Not(part) => Reason::Not { not: Box::new(part.explain(env)), met: self.met(env) },
            leaf => {
                let (truth, actual) = leaf.judge(env);
                let (name, key, required) = leaf.describe();
                Reason::Leaf(LeafReason { leaf: name, key, required, actual, met: truth == Truth::True })
            }
        }
    }

    /// The earliest instant at which it would hold if nothing but time passed; `None` when time alone cannot do it.
    #[must_use]
    pub fn opens_at(&self, env: Env<'_>) -> Option<Instant> {
        if self.met(env) {
            return Some(env.now);
        }
        let mut turns = Vec::new();
        self.turns(env, &mut turns);
        turns.sort_unstable();
        turns.into_iter().find(|at| self.met(Env { now: *at, ..env }))
    }

    /// Adds every later instant at which one of its leaves may come to hold, or stop to, because time has passed.
    pub fn turns(&self, env: Env<'_>, into: &mut Vec<Instant>) {
        self.each_leaf(&mut |leaf| {
            let mut add = |at: Option<Instant>| into.extend(at.filter(|at| *at > env.now && *at < LAST));
            match leaf {
                Self::Date(leaf) => {
                    add(leaf.from);
                    add(leaf.until);
                }
                Self::Elapsed(leaf) => add(leaf.begin(env).map(|begin| later(begin, seconds(leaf.at_least_seconds)))),
                Self::Inactive(leaf) => {
                    let last = env.facts.last_event_at.unwrap_or(env.facts.enrolled_at);
                    add(Some(later(last, TimeDelta::days(leaf.days.into()))));
                }
                Self::Behind(leaf) => add(leaf.begins(&env.facts.learner)),
                Self::Certificate(leaf) => {
                    let held = env.facts.learner.certificates.iter().filter(|c| c.course == leaf.course);
                    held.for_each(|certificate| add(certificate.expires_at));
                }
                // Time may test out of the module that it asks about.
                Self::Module(leaf) if leaf.is == ModuleIs::Completed && !env.within_waiver => {
                    let module = env.outline.ix(&leaf.key).map(|ix| env.outline.module(ix));
                    if let Some(when) = module.and_then(|module| module.waive_when.as_ref()) {
                        when.turns(Env { within_waiver: true, ..env }, into);
                    }
                }
                _ => {}
            }
        });
    }

    /// Name, key and requirement of a leaf.
    fn describe(&self) -> (&'static str, Option<String>, Value) {
        match self {
            Self::Module(leaf) => ("module", Some(leaf.key.clone()), json!(leaf.is.as_str())),
            Self::Score(leaf) => {
                let mut required = serde_json::Map::new();
                required.extend(leaf.at_least.map(|n| ("at_least".to_owned(), json!(n))));
                required.extend(leaf.below.map(|n| ("below".to_owned(), json!(n))));
                ("score", Some(leaf.module.clone()), Value::Object(required))
            }
            Self::Attempts(leaf) => ("attempts", Some(leaf.module.clone()), json!({"at_least": leaf.at_least})),
            Self::Certificate(leaf) => {
                ("certificate", Some(leaf.course.to_string()), json!(if leaf.valid { "valid" } else { "held" }))
            }
            Self::Course(leaf) => ("course", Some(leaf.id.to_string()), json!(leaf.is)),
            Self::Badge(leaf) => ("badge", Some(leaf.id.to_string()), json!("held")),
            Self::Points(leaf) => ("points", Some(leaf.game.to_string()), json!({"at_least": leaf.at_least})),
            Self::Level(leaf) => ("level", Some(leaf.game.to_string()), json!({"at_least": leaf.at_least})),
            Self::Competency(leaf) => ("competency", Some(leaf.id.to_string()), json!({"at_least": leaf.at_least})),
            Self::Behind(leaf) => ("behind", Some(leaf.competency.to_string()), json!({"days": leaf.days})),
            Self::Group(leaf) => ("group", Some(leaf.id.to_string()), json!("member")),
            Self::Attribute(leaf) => {
                ("attribute", Some(leaf.name.clone()), json!({"op": leaf.op, "value": leaf.value}))
            }
            Self::Date(leaf) => ("date", None, json!({"from": leaf.from, "until": leaf.until})),
            Self::Elapsed(leaf) => {
                let key = match &leaf.since {
                    ElapsedSince::Module(key) => Some(key.clone()),
                    _ => None,
                };
                ("elapsed", key, json!({"at_least_seconds": leaf.at_least_seconds}))
            }
            Self::Inactive(leaf) => ("inactive", None, json!({"days": leaf.days})),
            Self::All(_) | Self::Any(_) | Self::Not(_) => ("condition", None, Value::Null),
        }
    }

    /// Whether a leaf holds, and what is so.
    fn judge(&self, env: Env<'_>) -> (Truth, Value) {
        match self {
            Self::Module(leaf) => {
                let Some(ix) = env.outline.ix(&leaf.key) else { return (Truth::Missing, Value::Null) };
                let (holds, actual) = module_is(env, ix, leaf.is);
                (holds.into(), json!(actual))
            }
            Self::Score(leaf) => {
                let Some(ix) = env.outline.ix(&leaf.module) else { return (Truth::Missing, Value::Null) };
                match env.facts.record(ix).and_then(|r| r.score) {
                    None => (Truth::False, Value::Null),
                    Some(score) => {
                        let holds = leaf.at_least.is_none_or(|n| score + 1e-9 >= n)
                            && leaf.below.is_none_or(|n| score + 1e-9 < n);
                        (holds.into(), json!(score))
                    }
                }
            }
            Self::Attempts(leaf) => {
                let Some(ix) = env.outline.ix(&leaf.module) else { return (Truth::Missing, Value::Null) };
                let attempts = env.facts.record(ix).map_or(0, |r| r.attempts);
                ((attempts >= leaf.at_least).into(), json!(attempts))
            }
            Self::Certificate(leaf) => {
                let held =
                    env.facts.learner.certificates.iter().filter(|c| c.course == leaf.course && c.issued_at <= env.now);
                let valid =
                    |c: &super::facts::HeldCertificate| !c.revoked && c.expires_at.is_none_or(|at| at > env.now);
                let (mut any, mut good) = (false, false);
                for certificate in held {
                    any = true;
                    good |= valid(certificate);
                }
                let actual = if good {
                    "valid"
                } else if any {
                    "invalid"
                } else {
                    "none"
                };
                ((if leaf.valid { good } else { any }).into(), json!(actual))
            }
            Self::Course(leaf) => {
                let mut actual = "none";
                for fact in env.facts.learner.courses.iter().filter(|fact| fact.course == leaf.id) {
                    actual = if fact.completed || actual == "completed" { "completed" } else { "enrolled" };
                }
                (
                    (actual == "completed" || (leaf.is == CourseIs::Enrolled && actual == "enrolled")).into(),
                    json!(actual),
                )
            }
            Self::Badge(leaf) => match env.facts.learner.badges.iter().find(|fact| fact.badge == leaf.id) {
                Some(fact) => (fact.held.into(), json!(if fact.held { "held" } else { "none" })),
                None => (Truth::Missing, Value::Null),
            },
            Self::Points(leaf) => match env.facts.learner.game(leaf.game) {
                Some(fact) => ((fact.points >= leaf.at_least).into(), json!(fact.points)),
                None => (Truth::Missing, Value::Null),
            },
            Self::Level(leaf) => match env.facts.learner.game(leaf.game) {
                Some(fact) => ((fact.level >= leaf.at_least).into(), json!(fact.level)),
                None => (Truth::Missing, Value::Null),
            },
            Self::Competency(leaf) => leaf.judge(&env.facts.learner),
            Self::Behind(leaf) => leaf.judge(&env.facts.learner, env.now),
            Self::Group(leaf) => match env.facts.learner.groups.iter().find(|fact| fact.group == leaf.id) {
                Some(fact) => (fact.member.into(), json!(if fact.member { "member" } else { "none" })),
                None => (Truth::Missing, Value::Null),
            },
            Self::Attribute(leaf) => leaf.judge(&env.facts.learner.attributes),
            Self::Date(leaf) => {
                let holds =
                    leaf.from.is_none_or(|from| from <= env.now) && leaf.until.is_none_or(|until| env.now < until);
                (holds.into(), json!(to_the_minute(env.now)))
            }
            Self::Elapsed(leaf) => match leaf.begin(env) {
                Some(begin) => {
                    // To the minute, as below.
                    let passed = (env.now - begin).num_minutes().max(0).saturating_mul(60);
                    ((later(begin, seconds(leaf.at_least_seconds)) <= env.now).into(), json!(passed))
                }
                None => (if leaf.target_exists(env) { Truth::False } else { Truth::Missing }, Value::Null),
            },
            Self::Inactive(leaf) => {
                let last = env.facts.last_event_at.unwrap_or(env.facts.enrolled_at);
                let days = (env.now - last).num_days().max(0);
                ((days >= i64::from(leaf.days)).into(), json!(days))
            }
            Self::All(_) | Self::Any(_) | Self::Not(_) => (self.holds(env), Value::Null),
        }
    }
}

impl ElapsedLeaf {
    fn target_exists(&self, env: Env<'_>) -> bool {
        match &self.since {
            ElapsedSince::Module(key) => env.outline.ix(key).is_some(),
            _ => true,
        }
    }

    /// The module whose completion it still waits for.
    #[must_use]
    pub fn waits_for(&self, env: Env<'_>) -> Option<&str> {
        match &self.since {
            ElapsedSince::Module(key) if self.target_exists(env) && self.begin(env).is_none() => Some(key),
            _ => None,
        }
    }

    fn begin(&self, env: Env<'_>) -> Option<Instant> {
        match &self.since {
            ElapsedSince::Enrolled => Some(env.facts.enrolled_at),
            ElapsedSince::CohortStart => Some(env.facts.cohort_start_at.unwrap_or(env.facts.enrolled_at)),
            ElapsedSince::Module(key) => env.facts.record(env.outline.ix(key)?)?.completed_at,
        }
    }
}

impl AttributeLeaf {
    /// Whether it holds for these attributes, and what is so.
    fn judge(&self, attributes: &serde_json::Map<String, Value>) -> (Truth, Value) {
        match attributes.get(&self.name).filter(|value| !value.is_null()) {
            Some(actual) => (self.compare(actual).into(), actual.clone()),
            // "Exists" is the one question that an absent attribute answers.
            None => (if self.op == AttributeOp::Exists { Truth::False } else { Truth::Missing }, Value::Null),
        }
    }

    /// Whether the value fits the comparison: a list for `in`, a text for `starts_with`, nothing for `exists`.
    #[must_use]
    pub fn fits(&self) -> bool {
        match self.op {
            AttributeOp::Exists => self.value.is_none(),
            AttributeOp::In => self.value.as_ref().is_some_and(Value::is_array),
            AttributeOp::StartsWith => self.value.as_ref().is_some_and(Value::is_string),
            _ => self.value.is_some(),
        }
    }

    fn compare(&self, actual: &Value) -> bool {
        let Some(wanted) = &self.value else { return self.op == AttributeOp::Exists };
        match self.op {
            AttributeOp::Exists => true,
            AttributeOp::Equals => same(actual, wanted),
            AttributeOp::NotEquals => !same(actual, wanted),
            AttributeOp::In => wanted.as_array().is_some_and(|list| list.iter().any(|one| same(actual, one))),
            AttributeOp::Contains => match (actual, wanted) {
                (Value::Array(list), wanted) => list.iter().any(|one| same(one, wanted)),
                (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
                _ => false,
            },
            AttributeOp::StartsWith => match (actual, wanted) {
                (Value::String(text), Value::String(part)) => text.starts_with(part.as_str()),
                _ => false,
            },
        }
    }
}

/// Whether two values are the same; 5 and 5.0 are one number (RFC 8259 knows no other kind).
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || (x.as_f64() == y.as_f64() && (x.is_f64() || y.is_f64())),
        _ => a == b,
    }
}

/// Whether a module is so, and how it is, by the facts alone (locks do not matter here).
fn module_is(env: Env<'_>, ix: usize, is: ModuleIs) -> (bool, &'static str) {
    // Whoever tested out of a module has what comes after it open.
    let tested_out = || {
        !env.within_waiver
            && env
                .outline
                .module(ix)
                .waive_when
                .as_ref()
                .is_some_and(|when| when.met(Env { within_waiver: true, ..env }))
    };
    let Some(record) = env.facts.record(ix) else {
        return if is == ModuleIs::Completed && tested_out() { (true, "waived") } else { (false, "not_started") };
    };
    let waived = record.completed_at.is_none() && (record.waived_at.is_some() || tested_out());
    let done = record.completed_at.is_some() || waived;
    let failed = record.failed_at.is_some() && record.passed_at.is_none();
    let actual = if record.passed_at.is_some() {
        "passed"
    } else if waived {
        "waived"
    } else if done {
        "completed"
    } else if failed {
        "failed"
    } else if record.started() {
        "started"
    } else {
        "not_started"
    };
    let holds = match is {
        ModuleIs::Started => record.started(),
        ModuleIs::Completed => done,
        ModuleIs::Passed => record.passed_at.is_some(),
        ModuleIs::Failed => failed,
    };
    (holds, actual)
}
