//! What an outline says of competencies: that they exist, that weights are weights, that levels are theirs.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{Finding, LintReport, Placed, each_condition};
use crate::domain::condition::{Condition, Required};
use crate::domain::mastery::coverage::Touch;
use crate::domain::outline::{Outline, Role, Unmet};

/// Competencies that conditions, modules and items name, for the caller to look up.
#[must_use]
pub fn named_competencies(outline: &Outline) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = outline.modules().flat_map(|module| &module.competencies).map(|link| link.id).collect();
    let quizzes = outline.modules().filter_map(|module| module.quiz());
    ids.extend(quizzes.flat_map(|quiz| &quiz.items).flat_map(|item| item.common().competencies).map(|link| link.id));
    ids.extend(asked_competencies(outline));
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Competencies that conditions name.
#[must_use]
pub fn asked_competencies(outline: &Outline) -> Vec<Uuid> {
    let mut ids = Vec::new();
    each_condition(outline, |condition, _| {
        condition.each_leaf(&mut |leaf| match leaf {
            Condition::Competency(leaf) => ids.push(leaf.id),
            Condition::Behind(leaf) => ids.push(leaf.competency),
            _ => {}
        });
    });
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Named levels that the competencies do not have; `levels` are the names of those that exist.
#[must_use]
pub fn unknown_levels(outline: &Outline, levels: &HashMap<Uuid, Vec<String>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    each_condition(outline, |condition, at| {
        condition.each_leaf(&mut |leaf| {
            if let Condition::Competency(leaf) = leaf
                && let Required::Level(name) = &leaf.at_least
                && levels.get(&leaf.id).is_some_and(|names| !names.contains(name))
            {
                findings.push(Finding {
                    code: "unknown_level",
                    pointer: at.clone(),
                    detail: format!("The competency {} has no level `{name}`.", leaf.id),
                });
            }
        });
    });
    findings
}

/// Core modules that wait for a competency that no other module of the course is about; `below` are those that count for one that
/// rolls up. Evidence may come from elsewhere, so it is no error.
#[must_use]
pub fn unproved(outline: &Outline, below: &HashMap<Uuid, Vec<Uuid>>) -> Vec<(Uuid, Finding)> {
    let modules = super::placed(outline);
    let needed = |placed: &&Placed<'_>| {
        let module = placed.module;
        matches!(module.role, Role::Core | Role::Hurdle | Role::Final) && module.unmet == Unmet::Lock
    };
    let mut findings = Vec::new();
    for placed in modules.iter().filter(needed) {
        let mut asked = Vec::new();
        placed.module.when.iter().for_each(|when| required(when, &mut asked));
        let about: HashSet<Uuid> = if asked.is_empty() {
            HashSet::new()
        } else {
            let others = modules.iter().filter(|other| other.order != placed.order);
            others.flat_map(|other| other.module.alignments()).map(|alignment| alignment.competency).collect()
        };
        let found =
            |id: &Uuid| std::iter::once(id).chain(below.get(id).into_iter().flatten()).any(|id| about.contains(id));
        for id in asked.into_iter().filter(|id| !found(id)) {
            let detail =
                format!("It waits for the competency {id}, which no other module of the course teaches or assesses.");
            findings
                .push((id, Finding { code: "unproved_competency", pointer: format!("{}/when", placed.at), detail }));
        }
    }
    findings
}

/// What can never count: work that is to prove a competency that rolls up, whose value follows from those below it alone, and delays
/// on one that is due nowhere. Both may yet change elsewhere, so they are no errors. `rolls_up` and `due` are those that do and are.
#[must_use]
pub fn idle(outline: &Outline, rolls_up: &HashSet<Uuid>, due: &HashSet<Uuid>) -> Vec<(Uuid, Finding)> {
    let mut findings = Vec::new();
    let mut proves = |id: Uuid, pointer: String| {
        if rolls_up.contains(&id) {
            let detail =
                format!("The competency {id} rolls up: what this proves does not count for it; align it to one below.");
            findings.push((id, Finding { code: "rolls_up", pointer, detail }));
        }
    };
    for placed in super::placed(outline) {
        for (n, link) in placed.module.competencies.iter().enumerate() {
            if placed.module.touch(link) == Touch::Assesses {
                proves(link.id, format!("{}/competencies/{n}/id", placed.at));
            }
        }
        let items = placed.module.quiz().map(|quiz| quiz.items.as_slice()).unwrap_or_default();
        for (i, item) in items.iter().enumerate() {
            for (n, link) in item.common().competencies.iter().enumerate() {
                proves(link.id, format!("{}/content/items/{i}/competencies/{n}/id", placed.at));
            }
        }
    }
    each_condition(outline, |condition, at| {
        condition.each_leaf(&mut |leaf| {
            if let Condition::Behind(leaf) = leaf
                && !due.contains(&leaf.competency)
            {
                let detail = format!(
                    "No course and no goal has a due date for the competency {}: nobody falls behind on it.",
                    leaf.competency
                );
                findings.push((leaf.competency, Finding { code: "never_due", pointer: at.clone(), detail }));
            }
        });
    });
    findings
}

/// Competencies whose delays conditions ask about.
#[must_use]
pub fn due_competencies(outline: &Outline) -> Vec<Uuid> {
    let mut ids = Vec::new();
    each_condition(outline, |condition, _| {
        condition.each_leaf(&mut |leaf| {
            if let Condition::Behind(leaf) = leaf {
                ids.push(leaf.competency);
            }
        });
    });
    ids
}

/// Levels of a competency that conditions name.
#[must_use]
pub fn asked_levels(outline: &Outline, competency: Uuid) -> HashSet<String> {
    let mut names = HashSet::new();
    each_condition(outline, |condition, _| {
        condition.each_leaf(&mut |leaf| {
            if let Condition::Competency(leaf) = leaf
                && leaf.id == competency
                && let Required::Level(name) = &leaf.at_least
            {
                names.insert(name.clone());
            }
        });
    });
    names
}

/// Competencies without which a condition does not hold.
fn required(condition: &Condition, ids: &mut Vec<Uuid>) {
    match condition {
        Condition::All(parts) => parts.iter().for_each(|part| required(part, ids)),
        Condition::Competency(leaf) => ids.push(leaf.id),
        _ => {}
    }
}

fn unknown(id: Uuid) -> String {
    format!("There is no competency {id}.")
}

/// Checks the links of modules and items.
pub(super) fn links(modules: &[Placed<'_>], known: &[Uuid], report: &mut LintReport) {
    for placed in modules {
        let mut seen = HashSet::new();
        for (n, link) in placed.module.competencies.iter().enumerate() {
            let at = format!("{}/competencies/{n}", placed.at);
            if !known.contains(&link.id) {
                report.error(format!("{at}/id"), "unknown_competency", unknown(link.id));
            }
            if !(link.weight > 0.0 && link.weight <= 1000.0) {
                report.error(format!("{at}/weight"), "out_of_range", "A weight lies above 0 and up to 1,000.");
            }
            if !seen.insert((link.id, link.touch)) {
                report.error(format!("{at}/id"), "duplicate_competency", "This competency is named twice.");
            }
        }
        let items = placed.module.quiz().map(|quiz| quiz.items.as_slice()).unwrap_or_default();
        for (i, item) in items.iter().enumerate() {
            for (n, link) in item.common().competencies.iter().enumerate().filter(|(_, l)| !known.contains(&l.id)) {
                let at = format!("{}/content/items/{i}/competencies/{n}/id", placed.at);
                report.error(at, "unknown_competency", unknown(link.id));
            }
        }
    }
}

/// Checks the leaves about competencies.
pub(super) fn leaf(leaf: &Condition, known: &[Uuid], at: &str, report: &mut LintReport) {
    let id = match leaf {
        Condition::Competency(leaf) => leaf.id,
        Condition::Behind(leaf) => leaf.competency,
        _ => return,
    };
    if !known.contains(&id) {
        report.error(at, "unknown_competency", unknown(id));
    }
    if let Condition::Competency(leaf) = leaf
        && let Required::Mastery(at_least) = leaf.at_least
        && !(at_least > 0.0 && at_least <= 1.0)
    {
        report.error(at, "impossible_condition", "A mastery lies above 0 and up to 1.");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::lint;
    use super::*;
    use crate::domain::outline::{DeliveryMode, Style};

    const A: Uuid = Uuid::from_u128(1);
    const B: Uuid = Uuid::from_u128(2);

    fn outline() -> Outline {
        serde_json::from_value(json!({"stages": [{"kind": "sequence", "key": "s", "modules": [
            {"key": "text", "title": "T", "kind": "article", "content": {}, "competencies": [{"id": A}, {"id": A, "weight": 0}]},
            {"key": "quiz", "title": "Q", "kind": "quiz", "content": {"items": [
                {"key": "q", "type": "true_false", "prompt": "?", "answer": true, "competencies": [{"id": B}]}]}},
            {"key": "more", "title": "M", "kind": "article", "content": {}, "role": "advanced",
             "when": {"competency": {"id": B, "at_least": "expert"}}}]}]}))
        .unwrap()
    }

    #[test]
    fn what_does_not_exist_is_refused_wherever_it_is_named() {
        assert_eq!(named_competencies(&outline()), [A, B]);
        assert_eq!(asked_competencies(&outline()), [B]);
        let faults = |known: &[Uuid]| {
            let report =
                lint(&outline(), Style::DynamicBranching, DeliveryMode::SelfPaced, known, chrono::DateTime::UNIX_EPOCH);
            report.errors.into_iter().map(|f| format!("{} {}", f.pointer, f.code)).collect::<Vec<_>>()
        };
        let weights = [
            "/stages/0/modules/0/competencies/1/weight out_of_range",
            "/stages/0/modules/0/competencies/1/id duplicate_competency",
        ];
        assert_eq!(faults(&[A, B]), weights);
        let missing = faults(&[A]);
        assert!(
            missing.contains(&"/stages/0/modules/1/content/items/0/competencies/0/id unknown_competency".to_owned())
        );
        assert!(missing.contains(&"/stages/0/modules/2/when unknown_competency".to_owned()));
    }

    #[test]
    fn a_level_must_be_one_of_the_competency() {
        let levels = |name: &str| HashMap::from([(B, vec![name.to_owned()])]);
        assert!(unknown_levels(&outline(), &levels("expert")).is_empty());
        assert_eq!(unknown_levels(&outline(), &levels("novice"))[0].pointer, "/stages/0/modules/2/when");
    }

    #[test]
    fn a_core_module_waits_for_what_the_course_is_about() {
        let outline = |about: Uuid, when: serde_json::Value, role: &str| -> Outline {
            serde_json::from_value(json!({"stages": [{"kind": "sequence", "key": "s", "modules": [
                {"key": "text", "title": "T", "kind": "article", "content": {}, "competencies": [{"id": about}]},
                {"key": "wait", "title": "W", "kind": "article", "content": {}, "role": role, "competencies": [{"id": B}], "when": when}]}]}))
            .unwrap()
        };
        let asks = || json!({"all": [{"competency": {"id": B, "at_least": 0.5}}]});
        let found = |outline: &Outline, below: &[(Uuid, Vec<Uuid>)]| -> Vec<String> {
            let below = below.iter().cloned().collect();
            unproved(outline, &below).into_iter().map(|(_, finding)| finding.pointer).collect()
        };
        assert_eq!(found(&outline(A, asks(), "core"), &[]), ["/stages/0/modules/1/when"], "it does not open itself");
        assert!(found(&outline(B, asks(), "core"), &[]).is_empty());
        assert!(found(&outline(A, asks(), "core"), &[(B, vec![A])]).is_empty(), "what counts for it does");
        assert!(found(&outline(A, asks(), "optional"), &[]).is_empty());
        let either =
            json!({"any": [{"competency": {"id": B, "at_least": 0.5}}, {"date": {"from": "2026-01-01T00:00:00Z"}}]});
        assert!(found(&outline(A, either, "core"), &[]).is_empty(), "there is another way");
    }

    #[test]
    fn advanced_modules_are_reachable_by_proving_mastery() {
        let mut good = outline();
        good.find_module_mut("text").unwrap().competencies.clear();
        let report = lint(&good, Style::DynamicBranching, DeliveryMode::SelfPaced, &[B], chrono::DateTime::UNIX_EPOCH);
        assert!(report.errors.is_empty(), "{:?}", report.errors);
    }
}
