//! Why a plan should not be applied without a look.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Draft, list};
use crate::domain::sync::{Action, Given, Guard, Options, Person, Profile, Step};

/// `part` is more than `percent` of `whole`.
fn exceeds(part: usize, whole: usize, percent: f64) -> bool {
    let number = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    part > 0 && number(part) * 100.0 > percent * number(whole)
}

pub(super) fn guards(drafts: &[Draft<'_>], people: &[Person], steps: &[Step], options: &Options) -> Vec<Guard> {
    let mut guards = Vec::new();
    let mut add = |code: &str, detail: String| guards.push(Guard { code: code.to_owned(), detail });
    if drafts.is_empty() {
        add("empty_list", "The list has no rows.".into());
    }
    // Suspended people are on neither side: they do not work here now, and their leaving takes nothing from anybody.
    let is_active = |profile: &Profile| profile.state == "active";
    let profile_of = |step: &Step| step.person.and_then(|ix| people.get(ix)).map(|person| &person.profile);
    let active = people.iter().filter(|p| is_active(&p.profile) && p.profile.external_id.is_some()).count();
    let leaving = steps
        .iter()
        .filter(|row| row.action == Action::Deactivate && !row.conflicts() && profile_of(row).is_some_and(is_active))
        .count();
    if exceeds(leaving, active.max(1), options.max_deactivate_percent) {
        add(
            "too_many_deactivations",
            format!(
                "{leaving} of {active} active users would leave; more than {} % is too many.",
                options.max_deactivate_percent
            ),
        );
    }
    let errors = steps.iter().filter(|row| row.action == Action::Error).count();
    if exceeds(errors, drafts.len(), options.max_error_percent) {
        add(
            "too_many_errors",
            format!(
                "{errors} of {} rows are at fault; more than {} % is too many.",
                drafts.len(),
                options.max_error_percent
            ),
        );
    }
    const KEYS: [&str; 3] = ["external_id", "employee_number", "email"];
    let unknown: Vec<i64> = drafts
        .iter()
        .filter(|d| {
            d.person.is_none() && (d.employee.unreadable || d.faults.iter().any(|f| KEYS.contains(&f.column.as_str())))
        })
        .map(|d| d.employee.row)
        .collect();
    if !unknown.is_empty() && steps.iter().any(|row| row.action == Action::Deactivate && row.row.is_none()) {
        add(
            "unidentified_rows",
            format!(
                "The rows {} cannot be told to be anybody, so some of those who seem to be missing may be in them.",
                list(&unknown)
            ),
        );
    }
    for column in emptied(drafts) {
        add("column_emptied", format!("`{column}` had values for nearly everybody in the list and would lose them."));
    }
    guards
}

/// Columns that nearly everybody who had a value would lose.
fn emptied(drafts: &[Draft<'_>]) -> Vec<String> {
    let mut had: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut note = |column: &str, before: bool, given_empty: bool| {
        if before {
            let (all, lost) = had.entry(column.to_owned()).or_default();
            *all = all.saturating_add(1);
            *lost = lost.saturating_add(usize::from(given_empty));
        }
    };
    for draft in drafts {
        let Some(person) = draft.person else { continue };
        let (employee, profile) = (draft.employee, &person.profile);
        note("external_id", profile.external_id.is_some(), employee.external_id == Given::Empty);
        note("employee_number", profile.employee_number.is_some(), employee.employee_number == Given::Empty);
        note("manager_external_id", profile.manager_id.is_some(), employee.manager == Given::Empty);
        for column in
            [("email", &employee.email), ("given_name", &employee.given_name), ("family_name", &employee.family_name)]
        {
            note(column.0, true, *column.1 == Given::Empty);
        }
        for (name, given) in &employee.attributes {
            let before = profile.attributes.get(name).is_some_and(|value| *value != Value::Null);
            note(name, before, *given == Given::Empty);
        }
    }
    had.into_iter()
        .filter(|(_, (all, lost))| *all >= 2 && lost.saturating_mul(10) >= all.saturating_mul(9))
        .map(|(column, _)| column)
        .collect()
}
