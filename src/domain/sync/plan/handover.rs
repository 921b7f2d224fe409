//! Whose e-mail goes to somebody else: companies give the address of one who has left to the next.

use std::collections::HashSet;

use super::{Draft, Employee, Options, Person, rows::over};
use crate::domain::scim::person::no_email;

/// Whether a row with another external id may be about whoever has its e-mail: nothing else in it speaks against that.
pub(super) fn could_be(employee: &Employee, person: &Person) -> bool {
    let same = |a: &str, b: &str| a.trim().to_lowercase() == b.trim().to_lowercase();
    let numbers = employee.employee_number.value().zip(person.profile.employee_number.as_ref());
    numbers.is_none_or(|(given, known)| given == known)
        && employee.given_name.value().is_none_or(|name| same(name, &person.profile.given_name))
}

/// Whether somebody who left comes back under a new external id.
pub(super) fn comes_back(employee: &Employee, person: &Person) -> bool {
    let number = employee.employee_number.value();
    person.profile.state == "left"
        && (number.is_some() && number == person.profile.employee_number.as_ref() || could_be(employee, person))
}

/// Whether the list can take the e-mail from somebody. A name over SCIM stays, and nobody else may have it as e-mail.
fn can_lose(person: &Person) -> bool {
    person.locked.is_none() && person.user_name.as_ref() != Some(&person.profile.email.to_lowercase())
}

/// Whether somebody whom no row is about has left, or leaves by that, and so needs no e-mail.
pub(super) fn departs(person: &Person, options: &Options) -> bool {
    let goes = match person.profile.state.as_str() {
        "left" => true,
        "active" => options.deactivate_missing && person.profile.external_id.is_some(),
        _ => false,
    };
    goes && can_lose(person)
}

/// The e-mails that rows of people who stay ask for, in lower case.
pub(super) fn wanted<'a>(drafts: impl Iterator<Item = &'a Draft<'a>>) -> HashSet<String> {
    let stays = drafts.filter(|draft| draft.employee.active != Some(false));
    stays.filter_map(|draft| Some(draft.employee.email.value()?.to_lowercase())).collect()
}

/// Whether a row is about somebody who leaves, and whose e-mail another row asks for.
pub(super) fn yields(employee: &Employee, person: Option<&Person>, wanted: &HashSet<String>) -> bool {
    let email = over(&employee.email, person.map(|person| &person.profile.email));
    employee.active == Some(false)
        && person.is_none_or(can_lose)
        && email.is_some_and(|email| wanted.contains(&email.to_lowercase()))
}

/// The e-mail of somebody who yields theirs: none that can be written to if it goes to another, else the one they have.
pub(super) fn left_with(person: &Person, wanted: &HashSet<String>) -> String {
    let email = &person.profile.email;
    if wanted.contains(&email.to_lowercase()) { no_email(person.id) } else { email.clone() }
}
