//! The linter: what an outline must be before learners may meet it. Errors prevent publishing, warnings do not.

mod competencies;
mod learner;
mod reach;
mod records;
mod search;
mod shape;
mod subjects;
#[cfg(test)]
mod tests;
mod walk;
mod witness;

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::bounds::{MAX_DAYS, MAX_SECONDS};
use super::condition::{BehindLeaf, Condition, ElapsedLeaf, ElapsedSince, InactiveLeaf, LevelLeaf, PointsLeaf};
use super::facts::Instant;
use super::outline::{
    Branch, Compiled, Completion, DeliveryMode, Module, ModuleKind, Outline, Role, Stage, Style, Unmet, valid_key,
};
use super::quiz::GradingMethod;

pub use self::competencies::{
    asked_competencies, asked_levels, due_competencies, idle, named_competencies, unknown_levels, unproved,
};
pub use self::walk::Deed;
pub use self::witness::{Witness, completed_by};

/// Something that the linter found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Finding {
    /// Stable name.
    pub code: &'static str,
    /// RFC 6901 pointer into the outline.
    pub pointer: String,
    /// For people.
    pub detail: String,
}

/// Everything that the linter found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct LintReport {
    /// These prevent publishing.
    pub errors: Vec<Finding>,
    /// These do not.
    pub warnings: Vec<Finding>,
}

impl LintReport {
    /// Adds what prevents publishing.
    pub fn error(&mut self, pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) {
        self.errors.push(Finding { code, pointer: pointer.into(), detail: detail.into() });
    }

    fn warn(&mut self, pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) {
        self.warnings.push(Finding { code, pointer: pointer.into(), detail: detail.into() });
    }
}

/// A module with where it stands.
pub(super) struct Placed<'a> {
    pub(super) module: &'a Module,
    pub(super) at: String,
    /// Position in reading order.
    pub(super) order: usize,
}

pub(super) fn placed(outline: &Outline) -> Vec<Placed<'_>> {
    let mut all = Vec::new();
    for (s, stage) in outline.stages.iter().enumerate() {
        let lists: Vec<(&[Module], String)> = match stage {
            Stage::Sequence(sequence) => vec![(&sequence.modules, format!("/stages/{s}"))],
            Stage::Choice(choice) => choice
                .branches
                .iter()
                .enumerate()
                .map(|(b, branch)| (&*branch.modules, format!("/stages/{s}/branches/{b}")))
                .collect(),
        };
        for (modules, at) in lists {
            for (m, module) in modules.iter().enumerate() {
                all.push(Placed { module, at: format!("{at}/modules/{m}"), order: all.len() });
            }
        }
    }
    all
}

/// Courses that conditions name, for the caller to look up.
#[must_use]
pub fn named_courses(outline: &Outline) -> Vec<Uuid> {
    let mut ids = Vec::new();
    each_condition(outline, |condition, _| {
        condition.each_leaf(&mut |leaf| match leaf {
            Condition::Certificate(leaf) => ids.push(leaf.course),
            Condition::Course(leaf) => ids.push(leaf.id),
            _ => {}
        });
    });
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Badges and games that conditions name, for the caller to look up.
#[must_use]
pub fn named_games(outline: &Outline) -> Vec<Uuid> {
    let mut ids = Vec::new();
    each_condition(outline, |condition, _| {
        condition.each_leaf(&mut |leaf| match leaf {
            Condition::Badge(leaf) => ids.push(leaf.id),
            Condition::Points(leaf) => ids.push(leaf.game),
            Condition::Level(leaf) => ids.push(leaf.game),
            _ => {}
        });
    });
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Groups that conditions name, for the caller to look up.
#[must_use]
pub fn named_groups(outline: &Outline) -> Vec<Uuid> {
    let mut ids = Vec::new();
    each_condition(outline, |condition, _| {
        condition.each_leaf(&mut |leaf| {
            if let Condition::Group(leaf) = leaf {
                ids.push(leaf.id);
            }
        });
    });
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Visits every condition with its pointer.
fn each_condition(outline: &Outline, mut visit: impl FnMut(&Condition, String)) {
    for placed in placed(outline) {
        if let Some(when) = &placed.module.when {
            visit(when, format!("{}/when", placed.at));
        }
        if let Some(when) = &placed.module.waive_when {
            visit(when, format!("{}/waive_when", placed.at));
        }
    }
    for (s, stage) in outline.stages.iter().enumerate() {
        if let Stage::Choice(choice) = stage {
            for (b, branch) in choice.branches.iter().enumerate() {
                if let Some(when) = &branch.when {
                    visit(when, format!("/stages/{s}/branches/{b}/when"));
                }
            }
        }
    }
}

/// Lints an outline. A course that passes is completed by some learner: one of them was seen to. A module is called unreachable only
/// when that is certain; where conditions ask about more than can be tried, nothing is said. `known` are those of [`named_courses`], [`named_groups`], [`named_games`] and [`named_competencies`] that exist;
/// whoever is to complete the course begins at `now`.
#[must_use]
pub fn lint(outline: &Outline, style: Style, mode: DeliveryMode, known: &[Uuid], now: Instant) -> LintReport {
    let mut report = LintReport::default();
    let modules = placed(outline);
    if outline.stages.is_empty() || modules.is_empty() {
        report.error("/stages", "empty_outline", "A course needs at least one stage with one module.");
        return report;
    }
    keys(outline, &modules, &mut report);
    for placed in &modules {
        module(placed, &mut report);
    }
    references(outline, &modules, known, &mut report);
    competencies::links(&modules, known, &mut report);
    cycles(&modules, &mut report);
    shape::check(outline, style, mode, &modules, &mut report);
    if report.errors.is_empty() {
        let compiled = Compiled::new(outline.clone(), style);
        witness::check(&compiled, &modules, now, &mut report);
    }
    report
}

fn keys(outline: &Outline, modules: &[Placed<'_>], report: &mut LintReport) {
    let mut seen: HashMap<&str, String> = HashMap::new();
    let one = |key: &str, at: String, report: &mut LintReport| {
        if !valid_key(key) {
            report.error(&at, "invalid_key", format!("`{key}` is no key: 1 to 100 letters, digits, `.`, `_` or `-`."));
        }
    };
    for placed in modules {
        let at = format!("{}/key", placed.at);
        one(&placed.module.key, at.clone(), report);
        if let Some(first) = seen.insert(&placed.module.key, at.clone()) {
            report.error(at, "duplicate_key", format!("The key `{}` stands at {first} too.", placed.module.key));
        }
    }
    let mut stages = HashSet::new();
    let mut branches = HashSet::new();
    for (s, stage) in outline.stages.iter().enumerate() {
        let at = format!("/stages/{s}/key");
        one(stage.key(), at.clone(), report);
        if !stages.insert(stage.key()) {
            report.error(at, "duplicate_key", format!("Another stage has the key `{}`.", stage.key()));
        }
        if let Stage::Choice(choice) = stage {
            for (b, branch) in choice.branches.iter().enumerate() {
                let at = format!("/stages/{s}/branches/{b}/key");
                one(&branch.key, at.clone(), report);
                if !branches.insert(branch.key.as_str()) {
                    report.error(at, "duplicate_key", format!("Another branch has the key `{}`.", branch.key));
                }
            }
        }
    }
}

/// Whether a completion can come about in a module of this kind.
fn fits(kind: ModuleKind, completion: Completion) -> bool {
    match completion {
        Completion::WatchedPercent(_) => kind == ModuleKind::Video,
        Completion::Passed(_) => kind == ModuleKind::Quiz,
        Completion::ScoreAtLeast(_) | Completion::Submitted(_) => {
            matches!(kind, ModuleKind::Quiz | ModuleKind::Assignment)
        }
        Completion::Posted(_) => kind == ModuleKind::Discussion,
        Completion::Attended(_) => kind == ModuleKind::LiveSession,
        Completion::Viewed(_)
        | Completion::TimeSpentSeconds(_)
        | Completion::MarkedByLearner(_)
        | Completion::MarkedByInstructor(_)
        | Completion::External(_) => true,
    }
}

fn module(placed: &Placed<'_>, report: &mut LintReport) {
    let (module, at) = (placed.module, &placed.at);
    if module.title.trim().is_empty() {
        report.error(format!("{at}/title"), "missing_title", "A module needs a title.");
    }
    if !(module.weight > 0.0 && module.weight <= 1_000_000.0) {
        report.error(
            format!("{at}/weight"),
            "out_of_range",
            "A weight lies above 0 and up to 1,000,000; use the role optional for what does not count.",
        );
    }
    if matches!(module.role, Role::Hurdle | Role::Final) && module.quiz().is_none() {
        let code = if module.role == Role::Hurdle { "hurdle_without_quiz" } else { "final_without_quiz" };
        report.error(
            format!("{at}/kind"),
            code,
            format!("A module with the role {} must be a quiz.", module.role.as_str()),
        );
    }
    if let Some(seconds) = module.content.duration_seconds()
        && !(seconds > 0.0 && seconds <= 864_000.0)
    {
        report.error(
            format!("{at}/content/duration_seconds"),
            "out_of_range",
            "A video lasts more than 0 seconds and at most ten days.",
        );
    }
    let completion = module.completion();
    if !fits(module.kind, completion) {
        report.error(
            format!("{at}/completion"),
            "completion_does_not_fit",
            "A module of this kind cannot be completed in this way.",
        );
    }
    if matches!(module.role, Role::Hurdle | Role::Final)
        && !matches!(completion, Completion::Passed(_) | Completion::ScoreAtLeast(_))
    {
        report.error(
            format!("{at}/completion"),
            "completion_does_not_fit",
            "A hurdle or final is completed by passing or by a score.",
        );
    }
    match completion {
        Completion::WatchedPercent(n) | Completion::ScoreAtLeast(n) if !(n > 0.0 && n <= 100.0) => {
            report.error(
                format!("{at}/completion"),
                "impossible_completion",
                "A share lies above 0 and up to 100 percent.",
            );
        }
        Completion::ScoreAtLeast(_) if module.quiz().is_some() && !by_passing(module) => {
            let detail = "The module is completed by a score below its pass mark.";
            // What waits for these waits until they are passed.
            if matches!(module.role, Role::Hurdle | Role::Final) {
                report.error(format!("{at}/completion"), "completed_without_passing", detail);
            } else {
                report.warn(format!("{at}/completion"), "completed_without_passing", detail);
            }
        }
        Completion::Viewed(false)
        | Completion::Submitted(false)
        | Completion::Passed(false)
        | Completion::Posted(false)
        | Completion::Attended(false)
        | Completion::MarkedByLearner(false)
        | Completion::MarkedByInstructor(false)
        | Completion::External(false) => {
            report.error(
                format!("{at}/completion"),
                "impossible_completion",
                "Write true, or leave the completion out.",
            );
        }
        _ => {}
    }
    let by_staff =
        !(completion.by_learner() || matches!(completion, Completion::Submitted(_)) && module.quiz().is_some());
    if by_staff && module.role != Role::Optional {
        report.warn(
            format!("{at}/completion"),
            "needs_staff",
            "Only an instructor can complete this module for now, with POST …/modules/{key}/complete.",
        );
    }
    if let Some(quiz) = module.quiz() {
        for fault in quiz.lint() {
            report.error(format!("{at}/content{}", fault.pointer), fault.code, fault.detail);
        }
        let needed = matches!(module.role, Role::Hurdle | Role::Final);
        if needed && quiz.grading_method == GradingMethod::First && quiz.max_attempts != 1 {
            report.warn(
                format!("{at}/content/grading_method"),
                "first_attempt_decides",
                "Only the first attempt counts here: whoever fails it cannot pass any more and gets no other, but by an exception.",
            );
        }
        if quiz.practice && (quiz.max_attempts > 0 || !quiz.review.correctness) {
            report.warn(
                format!("{at}/content/practice"),
                "practice_tells_answers",
                "Practice says at once whether an answer is right, which limited attempts or the review keep from the learner; use \
                 other items for practice.",
            );
        }
        if quiz.max_attempts == 1 && (!quiz.remediation.is_empty() || quiz.cooldown_seconds.is_some()) {
            report.warn(
                format!("{at}/content/max_attempts"),
                "remediation_without_attempts",
                "With one attempt only, nobody comes back from the remediation.",
            );
        }
    }
    if module.release.is_some_and(|release| release.after_days > MAX_DAYS) {
        report.error(format!("{at}/release/after_days"), "out_of_range", "A module is released within 36,500 days.");
    }
    if module.unmet == Unmet::Hide && module.when.is_none() {
        report.warn(
            format!("{at}/unmet"),
            "unmet_without_when",
            "Without `when` there is nothing that could be unmet.",
        );
    }
}

fn references(outline: &Outline, modules: &[Placed<'_>], known: &[Uuid], report: &mut LintReport) {
    let by_key: HashMap<&str, &Placed<'_>> =
        modules.iter().map(|placed| (placed.module.key.as_str(), placed)).collect();
    each_condition(outline, |condition, at| {
        condition.each_leaf(&mut |leaf| {
            let named = match leaf {
                Condition::Module(leaf) => Some(leaf.key.as_str()),
                Condition::Score(leaf) => Some(leaf.module.as_str()),
                Condition::Attempts(leaf) => Some(leaf.module.as_str()),
                Condition::Elapsed(leaf) => match &leaf.since {
                    ElapsedSince::Module(key) => Some(key.as_str()),
                    _ => None,
                },
                _ => None,
            };
            if let Some(key) = named
                && !by_key.contains_key(key)
            {
                report.error(
                    &at,
                    "unknown_module",
                    format!("The condition names the module `{key}`, which does not exist."),
                );
            }
            leaf_faults(leaf, &by_key, known, &at, report);
            competencies::leaf(leaf, known, &at, report);
        });
    });
    for placed in modules {
        let Some(quiz) = placed.module.quiz() else { continue };
        for (n, key) in quiz.remediation.iter().enumerate() {
            let at = format!("{}/content/remediation/{n}", placed.at);
            match by_key.get(key.as_str()) {
                None => report.error(
                    at,
                    "unknown_module",
                    format!("The remediation names the module `{key}`, which does not exist."),
                ),
                Some(other) if other.order >= placed.order => {
                    report.error(
                        at,
                        "remediation_not_before",
                        format!("`{key}` does not stand before the quiz that sends back to it."),
                    );
                }
                Some(_) => {}
            }
        }
    }
}

fn leaf_faults(
    leaf: &Condition,
    by_key: &HashMap<&str, &Placed<'_>>,
    known: &[Uuid],
    at: &str,
    report: &mut LintReport,
) {
    match leaf {
        Condition::Score(leaf) => {
            let (low, high) = (leaf.at_least.unwrap_or(0.0), leaf.below.unwrap_or(f64::MAX));
            if (leaf.at_least.is_none() && leaf.below.is_none()) || low >= high || low > 100.0 || high <= 0.0 {
                report.error(
                    at,
                    "impossible_condition",
                    "A score needs at_least (up to 100) or below (above 0), and at_least less than below.",
                );
            }
            if by_key.get(leaf.module.as_str()).is_some_and(|placed| placed.module.quiz().is_none()) {
                report.error(at, "not_a_quiz", format!("`{}` is no quiz, so it never has a score.", leaf.module));
            }
        }
        Condition::Attempts(leaf)
            if by_key.get(leaf.module.as_str()).is_some_and(|placed| placed.module.quiz().is_none()) =>
        {
            report.error(at, "not_a_quiz", format!("`{}` is no quiz, so it never has attempts.", leaf.module));
        }
        Condition::Certificate(leaf) if !known.contains(&leaf.course) => {
            report.error(
                at,
                "unknown_course",
                format!("The condition names the course {}, which does not exist.", leaf.course),
            );
        }
        Condition::Course(leaf) if !known.contains(&leaf.id) => {
            report.error(
                at,
                "unknown_course",
                format!("The condition names the course {}, which does not exist.", leaf.id),
            );
        }
        Condition::Badge(leaf) if !known.contains(&leaf.id) => {
            report.error(
                at,
                "unknown_badge",
                format!("The condition names the badge {}, which does not exist.", leaf.id),
            );
        }
        Condition::Points(PointsLeaf { game, .. }) | Condition::Level(LevelLeaf { game, .. })
            if !known.contains(game) =>
        {
            report.error(at, "unknown_game", format!("The condition names the game {game}, which does not exist."));
        }
        Condition::Group(leaf) if !known.contains(&leaf.id) => {
            report.error(
                at,
                "unknown_group",
                format!("The condition names the group {}, which does not exist.", leaf.id),
            );
        }
        Condition::Attribute(leaf) if !leaf.fits() => {
            report.error(at, "impossible_condition", "The value does not fit the comparison: a list for `in`, a text for `starts_with`, nothing for `exists`.");
        }
        Condition::Elapsed(ElapsedLeaf { at_least_seconds, .. }) if *at_least_seconds > MAX_SECONDS => {
            report.error(at, "out_of_range", "Up to 3,153,600,000 seconds, which are 36,500 days.");
        }
        Condition::Inactive(InactiveLeaf { days }) | Condition::Behind(BehindLeaf { days, .. }) if *days > MAX_DAYS => {
            report.error(at, "out_of_range", "Up to 36,500 days.");
        }
        Condition::Date(leaf) => {
            let empty = leaf.from.is_none() && leaf.until.is_none();
            if empty || leaf.from.zip(leaf.until).is_some_and(|(from, until)| from >= until) {
                report.error(at, "impossible_condition", "A date needs from or until, and from before until.");
            }
        }
        _ => {}
    }
}

/// Modules that wait for each other can never open.
fn cycles(modules: &[Placed<'_>], report: &mut LintReport) {
    let by_key: HashMap<&str, usize> =
        modules.iter().map(|placed| (placed.module.key.as_str(), placed.order)).collect();
    let needs: Vec<Vec<usize>> = modules
        .iter()
        .map(|placed| {
            let mut needs = Vec::new();
            if let Some(when) = &placed.module.when {
                needed(when, &by_key, &mut needs);
            }
            needs
        })
        .collect();
    for placed in modules {
        let mut seen = HashSet::new();
        let mut todo = needs.get(placed.order).cloned().unwrap_or_default();
        while let Some(next) = todo.pop() {
            if next == placed.order {
                report.error(
                    format!("{}/when", placed.at),
                    "cycle",
                    format!("`{}` waits for itself, by way of what it waits for.", placed.module.key),
                );
                break;
            }
            if seen.insert(next) {
                todo.extend(needs.get(next).into_iter().flatten());
            }
        }
    }
}

/// Modules that a condition cannot do without.
fn needed(condition: &Condition, by_key: &HashMap<&str, usize>, needs: &mut Vec<usize>) {
    match condition {
        Condition::All(parts) => parts.iter().for_each(|part| needed(part, by_key, needs)),
        Condition::Any(parts) if parts.len() == 1 => parts.iter().for_each(|part| needed(part, by_key, needs)),
        Condition::Module(leaf) => needs.extend(by_key.get(leaf.key.as_str())),
        Condition::Score(leaf) => needs.extend(by_key.get(leaf.module.as_str())),
        Condition::Attempts(leaf) if leaf.at_least > 0 => needs.extend(by_key.get(leaf.module.as_str())),
        _ => {}
    }
}

/// Whether a quiz is completed by nothing but passing it.
pub(super) fn by_passing(module: &Module) -> bool {
    module.quiz().is_some_and(|quiz| match module.completion() {
        Completion::Passed(_) => true,
        Completion::ScoreAtLeast(n) => n >= quiz.pass_percent,
        _ => false,
    })
}

/// The quizzes in which a branch ends, by their places: the last one that is hidden from nobody, and those after it. None where one
/// comes to its end otherwise.
pub(super) fn end_quizzes(branch: &Branch) -> Vec<usize> {
    let mut found = Vec::new();
    for (m, module) in branch.modules.iter().enumerate().rev().filter(|(_, module)| module.role != Role::Optional) {
        if module.quiz().is_none() {
            return Vec::new();
        }
        found.push(m);
        if module.unmet != Unmet::Hide || module.when.is_none() {
            return found;
        }
    }
    Vec::new()
}
