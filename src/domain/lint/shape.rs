//! The shape that each style demands.

use super::{LintReport, Placed, by_passing, end_quizzes};
use crate::domain::outline::{
    Choice, Choose, DeliveryMode, Module, ModuleKind, Order, Outline, Role, Route, Stage, Style, Unmet,
};

pub(super) fn check(
    outline: &Outline,
    style: Style,
    mode: DeliveryMode,
    modules: &[Placed<'_>],
    report: &mut LintReport,
) {
    for (s, stage) in outline.stages.iter().enumerate() {
        let at = format!("/stages/{s}");
        match stage {
            Stage::Sequence(sequence) if sequence.modules.is_empty() => {
                report.error(format!("{at}/modules"), "empty_stage", "A sequence needs at least one module.");
            }
            Stage::Choice(choice) => choice_shape(choice, &at, report),
            Stage::Sequence(_) => {}
        }
    }
    match style {
        Style::LinearAutoplay => linear(outline, report),
        Style::LinearHurdles => {
            linear(outline, report);
            if !modules.iter().any(|placed| placed.module.role == Role::Hurdle) {
                report.error(
                    "/stages",
                    "style_shape",
                    "The style linear_hurdles needs at least one quiz with the role hurdle.",
                );
            }
        }
        Style::RandomAccess => random_access(outline, modules, report),
        Style::StaticBranching => static_branching(outline, report),
        Style::DynamicBranching => {
            let choice = |stage: &Stage| matches!(stage, Stage::Choice(c) if c.choose != Choose::All);
            let adaptive = modules.iter().any(|p| {
                matches!(p.module.role, Role::Remedial | Role::Advanced)
                    || p.module.when.is_some()
                    || p.module.waive_when.is_some()
            });
            if !outline.stages.iter().any(choice) && !adaptive {
                report.error("/stages", "style_shape", "The style dynamic_branching needs a choice of one or at_least branches, or modules with conditions.");
            }
        }
    }
    if outline.complete_when.is_some() && style != Style::RandomAccess {
        report.error("/complete_when", "style_shape", "complete_when belongs to the style random_access.");
    }
    if mode == DeliveryMode::SelfPaced {
        for placed in modules.iter().filter(|placed| placed.module.kind == ModuleKind::LiveSession) {
            report.warn(
                format!("{}/kind", placed.at),
                "live_in_self_paced",
                "A self-paced course has no live sessions.",
            );
        }
    }
}

fn choice_shape(choice: &Choice, at: &str, report: &mut LintReport) {
    if choice.branches.len() < 2 {
        report.error(format!("{at}/branches"), "too_few_branches", "A choice needs at least two branches.");
    }
    if let Choose::AtLeast(n) = choice.choose {
        let branches = u32::try_from(choice.branches.len()).unwrap_or(u32::MAX);
        if n == 0 || n > branches {
            report.error(
                format!("{at}/choose"),
                "impossible_choice",
                format!("at_least must lie between 1 and the {branches} branches there are."),
            );
        }
    }
    for (b, branch) in choice.branches.iter().enumerate() {
        if branch.modules.iter().all(|module| module.role == Role::Optional) {
            report.error(
                format!("{at}/branches/{b}/modules"),
                "branch_without_end",
                "A branch needs at least one module that is not optional, or it has no end.",
            );
        }
    }
    for (b, branch) in choice.branches.iter().enumerate() {
        let hides = |module: &Module| module.unmet == Unmet::Hide && module.when.is_some();
        let mut needed = branch.modules.iter().filter(|module| module.role != Role::Optional).peekable();
        if needed.peek().is_some() && needed.all(hides) {
            report.warn(
                format!("{at}/branches/{b}/modules"),
                "branch_may_be_empty",
                "Whoever takes this branch while all its modules are hidden from them has nothing to do in it, and it counts as done.",
            );
        }
    }
    if choice.route == Route::Auto {
        if choice.choose == Choose::All {
            report.error(
                format!("{at}/route"),
                "impossible_choice",
                "Where all branches are taken, there is nothing to route.",
            );
        }
        if choice.branches.iter().all(|branch| branch.when.is_some()) {
            report.warn(
                format!("{at}/branches"),
                "no_fallback_branch",
                "Every branch has a condition: a learner whom none fits will wait here.",
            );
        }
    }
}

fn linear(outline: &Outline, report: &mut LintReport) {
    for (s, stage) in outline.stages.iter().enumerate() {
        match stage {
            Stage::Choice(_) => {
                report.error(format!("/stages/{s}/kind"), "style_shape", "A linear course has sequences only.")
            }
            Stage::Sequence(sequence) if sequence.order == Order::Any => {
                report.error(format!("/stages/{s}/order"), "style_shape", "A linear course has linear sequences only.");
            }
            Stage::Sequence(_) => {}
        }
    }
}

fn random_access(outline: &Outline, modules: &[Placed<'_>], report: &mut LintReport) {
    for (s, stage) in outline.stages.iter().enumerate() {
        match stage {
            Stage::Choice(_) => {
                report.error(format!("/stages/{s}/kind"), "style_shape", "A random_access course has sequences only.")
            }
            Stage::Sequence(sequence) if sequence.order == Order::Linear => {
                report.error(
                    format!("/stages/{s}/order"),
                    "style_shape",
                    "The sequences of a random_access course have the order any.",
                );
            }
            Stage::Sequence(_) => {}
        }
    }
    let finals: Vec<_> = modules.iter().filter(|placed| placed.module.role == Role::Final).collect();
    if finals.len() != 1 {
        let at = finals.get(1).map_or("/stages".to_owned(), |second| format!("{}/role", second.at));
        report.error(
            at,
            "style_shape",
            format!("The style random_access needs exactly one quiz with the role final; there are {}.", finals.len()),
        );
    }
    for placed in modules.iter().filter(|placed| placed.module.role == Role::Hurdle) {
        report.warn(
            format!("{}/role", placed.at),
            "hurdle_never_blocks",
            "In a random_access course quizzes never block.",
        );
    }
}

fn static_branching(outline: &Outline, report: &mut LintReport) {
    if !matches!(outline.stages.first(), Some(Stage::Sequence(_))) {
        report.error("/stages/0", "style_shape", "The style static_branching begins with a sequence.");
    }
    let mut choices = 0;
    for (s, stage) in outline.stages.iter().enumerate() {
        let Stage::Choice(choice) = stage else { continue };
        choices += 1;
        let at = format!("/stages/{s}");
        if choice.choose != Choose::All {
            report.error(
                format!("{at}/choose"),
                "style_shape",
                "In static_branching every branch must be taken: choose all.",
            );
        }
        if !choice.exclusive {
            report.error(
                format!("{at}/exclusive"),
                "style_shape",
                "In static_branching one branch is taken at a time: exclusive true.",
            );
        }
        for (b, branch) in choice.branches.iter().enumerate() {
            let ends = end_quizzes(branch);
            if !branch.modules.is_empty() && ends.is_empty() {
                report.error(
                    format!("{at}/branches/{b}/modules"),
                    "branch_without_end",
                    "In static_branching every branch ends in a quiz, which is hidden from nobody.",
                );
            }
            for m in ends.into_iter().filter(|m| branch.modules.get(*m).is_some_and(|module| !by_passing(module))) {
                report.error(
                    format!("{at}/branches/{b}/modules/{m}/completion"),
                    "completed_without_passing",
                    "In static_branching nobody enters another branch before passing the quiz of this one: it is completed by \
                     passing, or by a score from the pass mark on.",
                );
            }
        }
    }
    if choices == 0 {
        report.error("/stages", "style_shape", "The style static_branching needs a choice after its opening sequence.");
    }
}
