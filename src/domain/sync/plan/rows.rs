//! What each row does, and the row itself when somebody asks for it.

use std::collections::{BTreeMap, HashSet};

use uuid::Uuid;

use super::{Draft, guards, handover, order};
use crate::domain::sync::{Action, Employee, Given, Lock, Options, Person, Plan, PlannedRow, Profile, RowFault, Step};

pub(super) fn over(given: &Given<String>, old: Option<&String>) -> Option<String> {
    match given {
        Given::Absent => old.cloned(),
        Given::Empty => None,
        Given::Value(new) => Some(new.clone()),
    }
}

/// The profile after the row; with this e-mail in place of the row's when there is one.
fn after(employee: &Employee, person: Option<&Person>, manager: &Given<Uuid>, instead: Option<&String>) -> Profile {
    let before = person.map(|person| &person.profile);
    let text = |given: &Given<String>, old: Option<&String>| over(given, old).unwrap_or_default();
    let mut attributes = before.map(|profile| profile.attributes.clone()).unwrap_or_default();
    for (name, given) in &employee.attributes {
        match given {
            Given::Absent => {}
            Given::Empty => drop(attributes.remove(name)),
            Given::Value(value) => drop(attributes.insert(name.clone(), value.clone())),
        }
    }
    let works = employee.active != Some(false);
    let state = match before.map(|profile| profile.state.as_str()) {
        _ if !works => "left",
        // A suspension is not HR's to lift.
        Some("suspended") => "suspended",
        _ => "active",
    };
    Profile {
        external_id: match &employee.external_id {
            Given::Value(id) => Some(id.clone()),
            _ => before.and_then(|profile| profile.external_id.clone()),
        },
        employee_number: over(&employee.employee_number, before.and_then(|p| p.employee_number.as_ref())),
        email: instead.cloned().unwrap_or_else(|| text(&employee.email, before.map(|p| &p.email))),
        given_name: text(&employee.given_name, before.map(|p| &p.given_name)),
        family_name: text(&employee.family_name, before.map(|p| &p.family_name)),
        attributes,
        manager_id: match manager {
            Given::Absent => before.and_then(|profile| profile.manager_id),
            Given::Empty => None,
            Given::Value(id) => Some(*id),
        },
        state: state.to_owned(),
    }
}

/// Why a row will not be applied though it is in order.
fn locked(person: Option<&Person>) -> Vec<RowFault> {
    let lock = person.and_then(|person| person.locked);
    lock.map(|lock| RowFault::new("", "conflict", lock.reason())).into_iter().collect()
}

pub(super) fn finish(drafts: Vec<Draft<'_>>, people: &[Person], mentioned: &HashSet<Uuid>, options: &Options) -> Plan {
    // Nobody gives anything up for a row that is at fault.
    let handed_on = handover::wanted(drafts.iter().filter(|draft| draft.faults.is_empty()));
    let mut steps: Vec<Step> = Vec::new();
    let mut counts: BTreeMap<Action, u64> = Action::ALL.into_iter().map(|action| (action, 0)).collect();
    let mut count = |action: Action| {
        if let Some(n) = counts.get_mut(&action) {
            *n = n.saturating_add(1);
        }
    };
    for (ix, draft) in drafts.iter().enumerate() {
        let before = draft.person.map(|person| &person.profile);
        let instead = draft.person.filter(|_| draft.yields).map(|person| handover::left_with(person, &handed_on));
        let action = if draft.faults.is_empty() {
            let after = after(draft.employee, draft.person, &draft.manager, instead.as_ref());
            match before {
                // Somebody who left before Cairn ever knew them is of no use.
                None if after.state == "left" => Action::Unchanged,
                None => Action::Create,
                Some(before) if before == &after => Action::Unchanged,
                Some(before) if before.state != "left" && after.state == "left" => Action::Deactivate,
                Some(before) if before.state == "left" && after.state != "left" => Action::Reactivate,
                Some(_) => Action::Update,
            }
        } else {
            Action::Error
        };
        count(action);
        let faults = match action {
            Action::Unchanged => continue,
            Action::Error => draft.faults.clone(),
            _ => locked(draft.person),
        };
        let user = Some(draft.id).filter(|_| draft.person.is_some() || action != Action::Error);
        steps.push(Step {
            row: Some(draft.employee.row),
            action,
            user,
            piece: 0,
            faults,
            employee: Some(ix),
            person: draft.place,
            manager: draft.manager.clone(),
            email: instead,
        });
    }
    for (ix, person) in people.iter().enumerate().filter(|(_, person)| !mentioned.contains(&person.id)) {
        let yields = handover::departs(person, options) && handed_on.contains(&person.profile.email.to_lowercase());
        let action = match person.profile.state.as_str() {
            "active" if options.deactivate_missing && person.profile.external_id.is_some() => Action::Deactivate,
            "left" if yields => Action::Update,
            _ => continue,
        };
        count(action);
        steps.push(Step {
            row: None,
            action,
            user: Some(person.id),
            piece: 0,
            faults: locked(Some(person)),
            employee: None,
            person: Some(ix),
            manager: Given::Absent,
            email: yields.then(|| handover::left_with(person, &handed_on)),
        });
    }
    keep_an_admin(&mut steps, people);
    let guards = guards::guards(&drafts, people, &steps, options);
    let employees: Vec<&Employee> = drafts.into_iter().map(|draft| draft.employee).collect();
    order::order(&mut steps, &employees, people);
    Plan { steps, counts, guards }
}

/// Makes a conflict of each row that takes an admin away, when no admin of the site would be left. Which of several should stay is
/// not for the list to say.
fn keep_an_admin(steps: &mut [Step], people: &[Person]) {
    let moves = |step: &Step, action: Action| step.action == action && !step.conflicts();
    let admin = |step: &Step| {
        let place = step.person?;
        people.get(place).filter(|person| person.administers).map(|person| (place, person.profile.state == "active"))
    };
    let leaving: HashSet<usize> = steps
        .iter()
        .filter(|step| moves(step, Action::Deactivate))
        .filter_map(|step| admin(step).filter(|(_, active)| *active).map(|(place, _)| place))
        .collect();
    let mut staying =
        people.iter().enumerate().filter(|(_, person)| person.administers && person.profile.state == "active");
    let stays = staying.any(|(place, _)| !leaving.contains(&place))
        || steps.iter().any(|step| moves(step, Action::Reactivate) && admin(step).is_some());
    if stays {
        return;
    }
    for step in steps.iter_mut().filter(|step| step.person.is_some_and(|place| leaving.contains(&place))) {
        step.faults.push(RowFault::new("", "conflict", Lock::LastAdmin.reason()));
    }
}

/// The row with all that there is to see of it; from the list and the people of whom the plan was made.
#[must_use]
pub fn whole(step: Step, employees: &[Employee], people: &[Person]) -> PlannedRow {
    let person = step.person.and_then(|ix| people.get(ix));
    let employee = step.employee.and_then(|ix| employees.get(ix));
    let after = match (step.action, employee) {
        (Action::Error, _) => None,
        (_, Some(employee)) => Some(after(employee, person, &step.manager, step.email.as_ref())),
        (_, None) => person.map(|person| Profile {
            state: "left".into(),
            email: step.email.clone().unwrap_or_else(|| person.profile.email.clone()),
            ..person.profile.clone()
        }),
    };
    PlannedRow {
        row: step.row,
        action: step.action,
        user: step.user,
        version: person.map(|person| person.version),
        before: person.map(|person| person.profile.clone()),
        after,
        piece: step.piece,
        faults: step.faults,
    }
}
