//! Can anybody complete the course? The linter lets the real path engine decide: hypothetical learners of several kinds walk
//! through it. So "the linter passed" means "some learner can complete it" by construction.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{LintReport, Placed};
use crate::domain::condition::{AttributeLeaf, AttributeOp, Condition, CourseIs, Required};
use crate::domain::facts::{
    BadgeFact, CompetencyFact, CourseFact, GameFact, GroupFact, HeldCertificate, Instant, LearnerFacts,
};
use crate::domain::mastery::Level;
use crate::domain::outline::{Compiled, ModuleIx, Role, StageShape};
use crate::domain::path::{self, NextStep, State};
use crate::domain::simulate::Walker;

/// How a hypothetical learner does in quizzes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Talent {
    /// Full marks.
    Expert,
    /// The pass mark exactly.
    Average,
    /// Fails once, then passes.
    Struggling,
    /// Fails as often as it takes nothing, passing only what must be.
    Weak,
}

/// What a hypothetical learner has outside of the course.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Profile {
    /// Such that conditions on it hold.
    Fitting,
    /// Such that they do not, although everything that they ask about is there.
    Unfitting,
    /// Nothing at all.
    Blank,
}

struct Kind {
    talent: Talent,
    /// What they bring along.
    profile: Profile,
    /// Which branch of a choice they prefer.
    branch: usize,
}

/// What a walk came to.
struct Walked {
    complete: bool,
    opened: BTreeSet<ModuleIx>,
    stuck: Vec<ModuleIx>,
}

/// Whether some learner can complete the course.
#[must_use]
pub fn completable(outline: &Compiled, now: Instant) -> bool {
    kinds(outline).into_iter().any(|kind| walk(outline, &kind, now).complete)
}

fn kinds(outline: &Compiled) -> Vec<Kind> {
    let most = |stage: &crate::domain::outline::CompiledStage| match &stage.shape {
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

/// Walks begin now and jump to the course's own dates; what only the past could open nobody can open any more.
pub(super) fn check(outline: &Compiled, modules: &[Placed<'_>], now: Instant, report: &mut LintReport) {
    let mut opened = BTreeSet::new();
    let mut complete = false;
    let mut stuck: Vec<ModuleIx> = Vec::new();
    for kind in kinds(outline) {
        let walked = walk(outline, &kind, now);
        complete |= walked.complete;
        opened.extend(walked.opened);
        if stuck.is_empty() {
            stuck = walked.stuck;
        }
        if complete && opened.len() == modules.len() {
            return;
        }
    }
    let name = |ix: &ModuleIx| modules.get(*ix).map(|placed| placed.module.key.clone()).unwrap_or_default();
    if !complete {
        let names: Vec<String> = stuck.iter().take(5).map(name).collect();
        report.error(
            "/stages",
            "not_completable",
            format!("No learner could complete this course; it ends at {}.", names.join(", ")),
        );
    }
    for placed in modules.iter().filter(|placed| !opened.contains(&placed.order)) {
        report.error(&placed.at, "unreachable_module", format!("No learner could ever open `{}`.", placed.module.key));
    }
}

fn walk(outline: &Compiled, kind: &Kind, now: Instant) -> Walked {
    let mut walker = Walker::new(outline, learner(outline, kind.profile, now), now);
    let mut opened = BTreeSet::new();
    let mut failed: BTreeSet<ModuleIx> = BTreeSet::new();
    // Each round does at least one thing; a module is done at most a few times.
    for _ in 0..outline.module_count().saturating_mul(6).saturating_add(64) {
        walker.wait(TimeDelta::milliseconds(1));
        let standing = walker.standing();
        let open: Vec<ModuleIx> = (0..outline.module_count()).filter(|ix| standing.of(*ix).open()).collect();
        opened.extend(open.iter().copied());
        let mut acted = false;
        for step in &standing.next {
            acted = match step {
                NextStep::Choice { stage, branches, .. } => {
                    let preferred = branches.get(kind.branch.min(branches.len().saturating_sub(1)));
                    preferred.is_some_and(|branch| walker.choose(stage, branch).is_ok())
                }
                NextStep::Module { module, .. } => {
                    outline.ix(module).is_some_and(|ix| take(outline, &mut walker, kind, ix, &mut failed))
                }
            };
            if acted {
                break;
            }
        }
        // Whoever has nothing to do, or is through, looks at what else is open: it may open more.
        if !acted {
            let more = open.iter().copied().find(|ix| {
                matches!(standing.of(*ix), State::Available | State::InProgress)
                    && (standing.complete || outline.module(*ix).role == Role::Optional || standing.next.is_empty())
            });
            acted = more.is_some_and(|ix| take(outline, &mut walker, kind, ix, &mut failed));
        }
        if !acted && !jump(outline, &mut walker) {
            break;
        }
    }
    let standing = walker.standing();
    let waiting = |ix: &ModuleIx| {
        matches!(standing.of(*ix), State::Locked | State::Failed | State::Available | State::InProgress)
    };
    let stuck = (0..outline.module_count()).filter(waiting).collect();
    Walked { complete: standing.complete, opened, stuck }
}

/// Takes one module as this kind of learner does. A course's walk ends with it done, or with one failure more.
fn take(
    outline: &Compiled,
    walker: &mut Walker<'_>,
    kind: &Kind,
    ix: ModuleIx,
    failed: &mut BTreeSet<ModuleIx>,
) -> bool {
    let Some(quiz) = outline.module(ix).quiz() else {
        let record = walker.facts.record(ix);
        if record.is_some_and(|r| r.completed_at.is_some() && r.redo.as_ref().is_none_or(|redo| redo.done_at.is_some()))
        {
            return false;
        }
        return walker.complete(ix).is_ok();
    };
    let needed = match outline.module(ix).completion() {
        crate::domain::outline::Completion::ScoreAtLeast(percent) => percent.max(quiz.pass_percent),
        _ => quiz.pass_percent,
    };
    let may_fail = quiz.max_attempts != 1 && failed.insert(ix);
    let score = match kind.talent {
        Talent::Expert => 100.0,
        Talent::Average => needed,
        Talent::Struggling if may_fail => 0.0,
        Talent::Struggling => 100.0,
        Talent::Weak if may_fail => (needed - 1.0).max(0.0),
        Talent::Weak => needed,
    };
    walker.attempt(ix, score).is_ok()
}

/// Jumps to the next instant at which something opens by itself.
fn jump(outline: &Compiled, walker: &mut Walker<'_>) -> bool {
    let standing = walker.standing();
    let locked = (0..outline.module_count()).filter(|ix| standing.of(*ix) == State::Locked);
    let next = locked.filter_map(|ix| path::access(outline, &walker.facts, walker.now, ix).opens_at).min();
    match next.filter(|at| *at > walker.now && *at < Instant::MAX_UTC) {
        Some(at) => {
            walker.now = at;
            true
        }
        None => false,
    }
}

/// A learner for whom conditions on what lies outside of the course hold, or do not, or one with nothing.
fn learner(outline: &Compiled, profile: Profile, now: Instant) -> LearnerFacts {
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
        let fact = CompetencyFact { competency: id, mastery: None, levels: Vec::new(), dues: Vec::new() };
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
