//! SQL about frameworks, competencies, evidence, mastery, targets, goals and practice.

pub mod competencies;
pub mod evidence;
pub mod frameworks;
pub mod goals;
pub mod matrix;
pub mod practice;
pub mod targets;

use uuid::Uuid;

use crate::db::types::Id;

/// Ids to bind.
fn ids(list: &[Uuid]) -> Vec<Id> {
    list.iter().map(|id| Id(*id)).collect()
}
