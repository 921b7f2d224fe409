//! Moving an enrollment to a newer revision: the progress of every module whose key still exists goes along.

use serde::Serialize;
use utoipa::ToSchema;

use super::facts::Facts;
use super::outline::{Compiled, StageShape};

/// Something that could not go along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Dropped {
    /// Key of the module or branch.
    pub key: String,
    /// `module_removed`, `kind_changed` or `branch_removed`.
    pub reason: &'static str,
}

/// What went along and what did not.
#[derive(Debug, Clone, PartialEq)]
pub struct CarryOver {
    /// The facts for the newer revision.
    pub facts: Facts,
    /// Keys of modules whose progress went along.
    pub carried: Vec<String>,
    /// What could not.
    pub dropped: Vec<Dropped>,
}

/// Carries facts from one revision to another.
#[must_use]
pub fn carry_over(old: &Compiled, new: &Compiled, facts: &Facts) -> CarryOver {
    let mut fresh = Facts { records: vec![None; new.module_count()], choices: Vec::new(), ..facts.clone() };
    let (mut carried, mut dropped) = (Vec::new(), Vec::new());
    for (ix, module) in old.modules.iter().enumerate() {
        let Some(Some(record)) = facts.records.get(ix) else { continue };
        match new.ix(&module.key) {
            None => dropped.push(Dropped { key: module.key.clone(), reason: "module_removed" }),
            Some(to) if new.module(to).kind != module.kind => {
                dropped.push(Dropped { key: module.key.clone(), reason: "kind_changed" });
            }
            Some(to) => {
                if let Some(slot) = fresh.records.get_mut(to) {
                    *slot = Some(record.clone());
                }
                carried.push(module.key.clone());
            }
        }
    }
    for choice in &facts.choices {
        let exists = new.stage(&choice.stage).is_some_and(|stage| match &stage.shape {
            StageShape::Choice { branches, .. } => branches.iter().any(|branch| branch.key == choice.branch),
            StageShape::Sequence(_) => false,
        });
        if exists {
            fresh.choices.push(choice.clone());
        } else {
            dropped.push(Dropped { key: choice.branch.clone(), reason: "branch_removed" });
        }
    }
    CarryOver { facts: fresh, carried, dropped }
}
