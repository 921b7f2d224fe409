//! The order in which rows are applied, and which of them in one transaction.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::rows::over;
use crate::domain::sync::{Action, Employee, Person, Step};

/// Rows that one transaction applies, unless more of them hand on keys to each other.
pub const ROWS_OF_A_PIECE: usize = 200;

/// Managers are made before those who report to them. Who hands on an e-mail or an employee number to somebody else, perhaps in a
/// circle, is in one piece with them: no other order of the two would do.
pub(super) fn order(rows: &mut [Step], employees: &[&Employee], people: &[Person]) {
    let knots = knots(rows, employees, people);
    let levels = levels(rows);
    let mut places: Vec<_> = rows
        .iter()
        .zip(knots)
        .map(|(row, knot)| {
            let level = row.user.and_then(|id| levels.get(&id).copied()).unwrap_or(0);
            (knot.is_none(), knot, row.action, level, row.row.unwrap_or(i64::MAX), row.user)
        })
        .collect();
    // Both by the same key, so that each row keeps its place beside it.
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|a, b| places.get(*a).cmp(&places.get(*b)));
    places.sort();
    arrange(rows, &order);
    let (mut piece, mut size, mut before) = (0_i32, 0_usize, None);
    for (row, place) in rows.iter_mut().zip(places) {
        let tied = place.1.is_some() && place.1 == before;
        if size >= ROWS_OF_A_PIECE && !tied {
            piece = piece.saturating_add(1);
            size = 0;
        }
        row.piece = piece;
        size = size.saturating_add(1);
        before = place.1;
    }
}

/// Puts the rows into this order, in place.
fn arrange(rows: &mut [Step], order: &[usize]) {
    let mut to: Vec<usize> = vec![0; order.len()];
    for (place, from) in order.iter().enumerate() {
        if let Some(slot) = to.get_mut(*from) {
            *slot = place;
        }
    }
    for at in 0..rows.len() {
        while let Some(target) = to.get(at).copied().filter(|target| *target != at) {
            rows.swap(at, target);
            to.swap(at, target);
        }
    }
}

/// How far below the first new manager each new user stands.
fn levels(rows: &[Step]) -> HashMap<Uuid, usize> {
    let above = new_managers(rows);
    let mut levels: HashMap<Uuid, usize> = HashMap::with_capacity(above.len());
    for start in above.keys() {
        let mut chain = Vec::new();
        let mut at = Some(*start);
        // Circles were refused, so the chain ends.
        while let Some(id) = at.filter(|id| above.contains_key(id) && !levels.contains_key(id)) {
            chain.push(id);
            at = above.get(&id).copied().flatten();
        }
        let mut level = at.and_then(|id| levels.get(&id).copied()).map_or(0, |level| level.saturating_add(1));
        for id in chain.into_iter().rev() {
            levels.insert(id, level);
            level = level.saturating_add(1);
        }
    }
    levels
}

/// Each new user with their manager.
fn new_managers(rows: &[Step]) -> HashMap<Uuid, Option<Uuid>> {
    rows.iter()
        .filter(|row| row.action == Action::Create)
        .filter_map(|row| Some((row.user?, row.manager.value().copied())))
        .collect()
}

/// What nobody else may have at the same time.
type Keys = Vec<(&'static str, String)>;

fn keys(email: &str, number: Option<&String>) -> Keys {
    let number = number.cloned().map(|number| ("employee_number", number));
    [Some(("email", email.to_lowercase())), number].into_iter().flatten().collect()
}

/// What whom a row is about has of these, and what they will have.
fn keys_of(step: &Step, employees: &[&Employee], people: &[Person]) -> (Option<Keys>, Option<Keys>) {
    let before = step.person.and_then(|ix| people.get(ix)).map(|person| &person.profile);
    let had = before.map(|profile| keys(&profile.email, profile.employee_number.as_ref()));
    let employee = step.employee.and_then(|ix| employees.get(ix));
    let has = match (step.action, employee) {
        (Action::Error, _) => None,
        (_, None) => {
            before.map(|profile| keys(step.email.as_ref().unwrap_or(&profile.email), profile.employee_number.as_ref()))
        }
        (_, Some(employee)) => {
            let own = || over(&employee.email, before.map(|profile| &profile.email));
            let email = step.email.clone().or_else(own);
            let number = over(&employee.employee_number, before.and_then(|profile| profile.employee_number.as_ref()));
            Some(keys(&email.unwrap_or_default(), number.as_ref()))
        }
    };
    (had, has)
}

/// For each row that hands on a key, or gets one that was handed on, the first row that it is tied to so; with the new managers of
/// each, since they are made before.
fn knots(rows: &[Step], employees: &[&Employee], people: &[Person]) -> Vec<Option<usize>> {
    let mut holders: HashMap<(&'static str, String), usize> = HashMap::new();
    for (ix, row) in rows.iter().enumerate() {
        if let (Some(had), Some(has)) = keys_of(row, employees, people) {
            holders.extend(had.into_iter().filter(|key| !has.contains(key)).map(|key| (key, ix)));
        }
    }
    if holders.is_empty() {
        return vec![None; rows.len()];
    }
    let by_user: HashMap<Uuid, usize> =
        rows.iter().enumerate().filter_map(|(ix, row)| row.user.map(|user| (user, ix))).collect();
    let mut ties = Ties::default();
    for (ix, row) in rows.iter().enumerate() {
        for key in keys_of(row, employees, people).1.iter().flatten() {
            if let Some(holder) = holders.get(key) {
                ties.tie(ix, *holder);
            }
        }
    }
    let above = new_managers(rows);
    let mut waiting: Vec<usize> = ties.first.keys().copied().collect();
    while let Some(ix) = waiting.pop() {
        let manager = rows.get(ix).and_then(|row| row.manager.value().copied()).filter(|id| above.contains_key(id));
        if let Some(manager) = manager.and_then(|id| by_user.get(&id).copied()) {
            if !ties.first.contains_key(&manager) {
                waiting.push(manager);
            }
            ties.tie(ix, manager);
        }
    }
    (0..rows.len()).map(|ix| ties.root(ix)).collect()
}

/// Rows that belong together: each knows an earlier one, or itself.
#[derive(Default)]
struct Ties {
    first: BTreeMap<usize, usize>,
}

impl Ties {
    fn root(&mut self, ix: usize) -> Option<usize> {
        let mut at = ix;
        loop {
            let up = self.first.get(&at).copied()?;
            if up == at {
                break;
            }
            at = up;
        }
        self.first.insert(ix, at);
        Some(at)
    }

    fn tie(&mut self, a: usize, b: usize) {
        if a == b {
            return;
        }
        let [a, b] = [a, b].map(|ix| {
            self.first.entry(ix).or_insert(ix);
            self.root(ix).unwrap_or(ix)
        });
        self.first.insert(a.max(b), a.min(b));
    }
}
