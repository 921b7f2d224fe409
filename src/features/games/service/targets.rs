//! Conditions of rules and badges name only what exists: a leaf whose target does not exist would never hold.

use uuid::Uuid;

use crate::db::Conn;
use crate::domain::condition::Condition;
use crate::domain::game::settings::Fault;
use crate::domain::outline::FactNeeds;
use crate::error::AppResult;
use crate::features::games::store::{badges, games, groups};

/// A fault for each leaf, of conditions at these places, whose target does not exist.
///
/// # Errors
/// Database errors.
pub fn faults(conn: &mut Conn, conditions: &[(String, &Condition)]) -> AppResult<Vec<Fault>> {
    let needs = FactNeeds::of(&Condition::All(conditions.iter().map(|(_, condition)| (*condition).clone()).collect()));
    let mut known: Vec<Uuid> = Vec::new();
    let wanted = [needs.certificates, needs.courses].concat();
    if !wanted.is_empty() {
        known.extend(games::existing_courses(conn, &wanted)?);
    }
    let wanted = [needs.badges, needs.games].concat();
    if !wanted.is_empty() {
        known.extend(badges::existing(conn, &wanted)?);
    }
    if !needs.groups.is_empty() {
        known.extend(groups::existing(conn, &needs.groups)?);
    }
    let mut faults = Vec::new();
    for (at, condition) in conditions {
        condition.each_leaf(&mut |leaf| {
            let (id, code) = match leaf {
                Condition::Course(leaf) => (leaf.id, "unknown_course"),
                Condition::Certificate(leaf) => (leaf.course, "unknown_course"),
                Condition::Group(leaf) => (leaf.id, "unknown_group"),
                Condition::Badge(leaf) => (leaf.id, "unknown_badge"),
                Condition::Points(leaf) => (leaf.game, "unknown_game"),
                Condition::Level(leaf) => (leaf.game, "unknown_game"),
                _ => return,
            };
            if !known.contains(&id) {
                faults.push((at.clone(), code, format!("The condition names {id}, which does not exist.")));
            }
        });
    }
    Ok(faults)
}
