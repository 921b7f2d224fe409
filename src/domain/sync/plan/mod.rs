//! The plan: matching, managers; in `rows` changes.

mod guards;
mod handover;
mod order;
mod rows;

use std::collections::{HashMap, HashSet};

use serde_json::Map;
use uuid::Uuid;

use super::{Employee, Given, Options, Person, Plan, RowFault};
use crate::domain::organisation::{MAX_ATTRIBUTES, RESERVED_EMAIL, is_reserved_email, manager_cycles};

pub use rows::whole;

/// People by what a list may call them.
struct Index<'a> {
    people: &'a [Person],
    external: HashMap<&'a str, usize>,
    number: HashMap<&'a str, usize>,
    email: HashMap<String, usize>,
    user_name: HashMap<&'a str, usize>,
}

impl<'a> Index<'a> {
    fn new(people: &'a [Person]) -> Self {
        let mut index = Self {
            people,
            external: HashMap::new(),
            number: HashMap::new(),
            email: HashMap::new(),
            user_name: HashMap::new(),
        };
        for (ix, person) in people.iter().enumerate() {
            index.external.extend(person.profile.external_id.as_deref().map(|id| (id, ix)));
            index.number.extend(person.profile.employee_number.as_deref().map(|number| (number, ix)));
            index.user_name.extend(person.user_name.as_deref().map(|name| (name, ix)));
            index.email.insert(person.profile.email.to_lowercase(), ix);
        }
        index
    }

    /// By external id, then employee number, then e-mail. A row with an external id of its own is not about somebody whose external id
    /// stands in another row: it is about who gets what that one gives up. Nor about whoever left, or leaves, an e-mail to a newcomer.
    fn find(&self, employee: &Employee, listed: &HashSet<Uuid>, options: &Options) -> Option<usize> {
        let external = employee.external_id.value().and_then(|id| self.external.get(id.as_str()));
        let number = || employee.employee_number.value().and_then(|number| self.number.get(number.as_str()));
        let email = || employee.email.value().and_then(|email| self.email.get(&email.to_lowercase()));
        let free = |ix: &&usize| {
            employee.external_id.value().is_none()
                || self.people.get(**ix).is_none_or(|person| !listed.contains(&person.id))
        };
        let same = |ix: &&usize| {
            let person = self.people.get(**ix).filter(|person| {
                let other = employee.external_id.value().zip(person.profile.external_id.as_ref());
                other.is_some_and(|(given, known)| given != known)
            });
            person.is_none_or(|person| handover::could_be(employee, person) || !handover::departs(person, options))
        };
        external.or_else(|| number().filter(free)).or_else(|| email().filter(free).filter(same)).copied()
    }

    /// Whether the e-mail that a row gives to somebody is another's name over SCIM.
    fn is_anothers_name(&self, employee: &Employee, draft: &Draft<'_>) -> bool {
        let Some(email) = employee.email.value().map(|email| email.to_lowercase()) else { return false };
        if draft.person.is_some_and(|person| person.profile.email.to_lowercase() == email) {
            return false;
        }
        let holder = self.user_name.get(email.as_str()).and_then(|ix| self.people.get(*ix));
        holder.is_some_and(|person| person.id != draft.id && person.profile.email.to_lowercase() != email)
    }

    /// Those whose external ids stand in the list.
    fn listed(&self, employees: &[Employee]) -> HashSet<Uuid> {
        let by_external = |employee: &Employee| self.external.get(employee.external_id.value()?.as_str());
        employees.iter().filter_map(by_external).filter_map(|ix| Some(self.people.get(*ix)?.id)).collect()
    }

    /// Others who have what a row wants to have, each with the column. The external id is not among them: who has it is whom the row
    /// is about; nor is an e-mail that the row's person yields.
    fn holders(&self, draft: &Draft<'_>) -> impl Iterator<Item = (&'static str, &'a Person)> + use<'a> {
        let (employee, own) = (draft.employee, draft.id);
        let email =
            employee.email.value().filter(|_| !draft.yields).and_then(|email| self.email.get(&email.to_lowercase()));
        let number = employee.employee_number.value().and_then(|number| self.number.get(number.as_str()));
        let people = self.people;
        [("email", email.copied()), ("employee_number", number.copied())]
            .into_iter()
            .filter_map(move |(column, ix)| Some((column, people.get(ix?)?)))
            .filter(move |(_, person)| person.id != own)
    }
}

/// Whether a person's row gives up what the person has in this column.
fn gives_up(employee: &Employee, person: &Person, column: &str) -> bool {
    match column {
        "email" => employee.email.value().is_some_and(|new| new.to_lowercase() != person.profile.email.to_lowercase()),
        _ => match &employee.employee_number {
            Given::Absent => false,
            Given::Empty => true,
            Given::Value(new) => Some(new) != person.profile.employee_number.as_ref(),
        },
    }
}

/// A row on its way into the plan.
struct Draft<'a> {
    employee: &'a Employee,
    person: Option<&'a Person>,
    /// Where the person stands among those who are known.
    place: Option<usize>,
    id: Uuid,
    manager: Given<Uuid>,
    faults: Vec<RowFault>,
    /// Whether the person leaves, and another gets the e-mail.
    yields: bool,
}

/// Names rows that share a value, each with all of them.
fn twins<'a>(drafts: &mut [Draft<'a>], column: &str, key: impl Fn(&Draft<'a>) -> Option<String>) {
    let mut rows: HashMap<String, Vec<i64>> = HashMap::new();
    for draft in drafts.iter() {
        if let Some(key) = key(draft) {
            rows.entry(key).or_default().push(draft.employee.row);
        }
    }
    for draft in drafts.iter_mut() {
        if let Some(shared) = key(draft).and_then(|key| rows.get(&key)).filter(|rows| rows.len() > 1) {
            draft.faults.push(RowFault::new(column, "duplicate", format!("The rows {} have the same.", list(shared))));
        }
    }
}

fn list(rows: &[i64]) -> String {
    let mut text: Vec<String> = rows.iter().take(20).map(i64::to_string).collect();
    if rows.len() > 20 {
        text.push(format!("and {} more", rows.len().saturating_sub(20)));
    }
    text.join(", ")
}

/// What the list would change. `new_id` gives the ids of new users.
#[must_use]
pub fn plan(employees: &[Employee], people: &[Person], options: &Options, mut new_id: impl FnMut() -> Uuid) -> Plan {
    let index = Index::new(people);
    let listed = index.listed(employees);
    let mut drafts: Vec<Draft<'_>> = employees
        .iter()
        .map(|employee| {
            let place = index.find(employee, &listed, options);
            let person = place.and_then(|place| people.get(place));
            let id = person.map_or_else(&mut new_id, |person| person.id);
            Draft {
                employee,
                person,
                place,
                id,
                manager: Given::Absent,
                faults: employee.faults.clone(),
                yields: false,
            }
        })
        .collect();
    let wanted = handover::wanted(drafts.iter());
    for draft in &mut drafts {
        draft.yields = handover::yields(draft.employee, draft.person, &wanted);
    }
    let mentioned: HashSet<Uuid> = drafts.iter().filter_map(|draft| draft.person.map(|p| p.id)).collect();
    twins(&mut drafts, "external_id", |d| d.employee.external_id.value().cloned());
    twins(&mut drafts, "employee_number", |d| d.employee.employee_number.value().cloned());
    twins(&mut drafts, "email", |d| d.employee.email.value().filter(|_| !d.yields).map(|email| email.to_lowercase()));
    identify(&mut drafts, &index, &mentioned, options);
    circles_of_faulty(&mut drafts, &index);
    managers(&mut drafts, &index);
    rows::finish(drafts, people, &mentioned, options)
}

/// Rows that cannot be told, that lack what a new user needs, or that take what another has.
fn identify(drafts: &mut [Draft<'_>], index: &Index<'_>, mentioned: &HashSet<Uuid>, options: &Options) {
    let mut by_person: HashMap<Uuid, Vec<i64>> = HashMap::new();
    for draft in drafts.iter() {
        if let Some(person) = draft.person {
            by_person.entry(person.id).or_default().push(draft.employee.row);
        }
    }
    let rows_of: HashMap<Uuid, (&Employee, bool)> = drafts
        .iter()
        .filter_map(|draft| draft.person.map(|person| (person.id, (draft.employee, draft.yields))))
        .collect();
    // What cannot be read lacks nothing that it could be told to lack.
    for draft in drafts.iter_mut().filter(|draft| !draft.employee.unreadable) {
        let employee = draft.employee;
        match draft.person {
            Some(person) => {
                let rows = by_person.get(&person.id).filter(|rows| rows.len() > 1 && draft.faults.is_empty());
                if let Some(rows) = rows {
                    let detail = format!("The rows {} are the same user.", list(rows));
                    draft.faults.push(RowFault::new("external_id", "same_person", detail));
                }
                let other = employee.external_id.value().zip(person.profile.external_id.as_ref());
                if other.is_some_and(|(given, known)| given != known) && !handover::comes_back(employee, person) {
                    draft.faults.push(RowFault::new(
                        "external_id",
                        "other_person",
                        "A user with another external id has this employee number or e-mail.",
                    ));
                }
            }
            None => {
                let keys = [&employee.external_id, &employee.employee_number];
                if keys.iter().all(|key| key.value().is_none()) && draft.faults.is_empty() {
                    draft.faults.push(RowFault::new(
                        "external_id",
                        "required",
                        "A new user needs an external id or an employee number.",
                    ));
                }
                let needed = [
                    ("email", &employee.email),
                    ("given_name", &employee.given_name),
                    ("family_name", &employee.family_name),
                ];
                for (column, given) in needed {
                    let told = draft.faults.iter().any(|fault| fault.column == column);
                    if given.value().is_none() && !told && employee.active != Some(false) {
                        draft.faults.push(RowFault::new(column, "required", "A new user needs this."));
                    }
                }
            }
        }
        if let Some(number) = too_many_attributes(employee, draft.person) {
            let detail = format!("The user would have {number} attributes; at most {MAX_ATTRIBUTES} are allowed.");
            draft.faults.push(RowFault::new("attributes", "too_many", detail));
        }
        let kept =
            |email: &&String| draft.person.is_some_and(|person| person.profile.email.eq_ignore_ascii_case(email));
        if employee.email.value().filter(|email| !kept(email)).is_some_and(|email| is_reserved_email(email)) {
            draft.faults.push(RowFault::new("email", "reserved", RESERVED_EMAIL));
        }
        if index.is_anothers_name(employee, draft) {
            draft.faults.push(RowFault::new("email", "taken", "Another user has this as userName over SCIM."));
        }
        for (column, other) in index.holders(draft) {
            let stays = employee.active != Some(false) && column == "email";
            let free = match rows_of.get(&other.id) {
                Some((row, yields)) => gives_up(row, other, column) || (stays && *yields),
                None => stays && !mentioned.contains(&other.id) && handover::departs(other, options),
            };
            if !free {
                draft.faults.push(RowFault::new(column, "taken", "Another user has this."));
            }
        }
    }
}

/// How many attributes the user would have, if the row adds some and they become too many.
fn too_many_attributes(employee: &Employee, person: Option<&Person>) -> Option<usize> {
    let before = person.map(|person| &person.profile.attributes);
    let had = before.map_or(0, Map::len);
    // Few rows come near the bound; these few are counted name by name.
    if had.saturating_add(employee.attributes.len()) <= MAX_ATTRIBUTES {
        return None;
    }
    let mut names: HashSet<&str> = before.into_iter().flat_map(Map::keys).map(String::as_str).collect();
    for (name, given) in &employee.attributes {
        match given {
            Given::Absent => {}
            Given::Empty => drop(names.remove(name.as_str())),
            Given::Value(_) => drop(names.insert(name)),
        }
    }
    (names.len() > MAX_ATTRIBUTES.max(had)).then_some(names.len())
}

/// Resolves managers in any order of rows, and refuses those that do not exist, that cannot be made, or that go round in a circle; and
/// whoever was to get the e-mail or number of somebody whose own row is at fault.
fn managers(drafts: &mut [Draft<'_>], index: &Index<'_>) {
    let in_list: HashMap<&str, Uuid> =
        drafts.iter().filter_map(|d| Some((d.employee.external_id.value()?.as_str(), d.id))).collect();
    // Who has left before Cairn ever knew them gets no account.
    let never: HashSet<Uuid> =
        drafts.iter().filter(|d| d.person.is_none() && d.employee.active == Some(false)).map(|d| d.id).collect();
    for draft in drafts.iter_mut() {
        draft.manager = match &draft.employee.manager {
            Given::Absent => Given::Absent,
            Given::Empty => Given::Empty,
            Given::Value(external) => {
                let known = || index.external.get(external.as_str()).and_then(|ix| index.people.get(*ix)).map(|p| p.id);
                match in_list.get(external.as_str()).copied().or_else(known) {
                    Some(id) if never.contains(&id) => {
                        let detail =
                            format!("The employee with the external id {external} has left and gets no account.");
                        draft.faults.push(RowFault::new("manager_external_id", "unknown_manager", detail));
                        Given::Absent
                    }
                    Some(id) => Given::Value(id),
                    None => {
                        let detail = format!("There is no employee with the external id {external}.");
                        draft.faults.push(RowFault::new("manager_external_id", "unknown_manager", detail));
                        Given::Absent
                    }
                }
            }
        };
    }
    // A fault may bring others: who reports to somebody that cannot be made cannot be made so either. Each round finds at least one
    // more row at fault, so there is an end.
    let rows: HashMap<Uuid, i64> = drafts.iter().map(|draft| (draft.id, draft.employee.row)).collect();
    loop {
        let lost: HashSet<Uuid> =
            drafts.iter().filter(|d| d.person.is_none() && !d.faults.is_empty()).map(|d| d.id).collect();
        let mut edges: HashMap<Uuid, Uuid> =
            index.people.iter().filter_map(|p| Some((p.id, p.profile.manager_id?))).collect();
        for draft in drafts.iter().filter(|draft| draft.faults.is_empty()) {
            match &draft.manager {
                Given::Value(manager) => drop(edges.insert(draft.id, *manager)),
                Given::Empty => drop(edges.remove(&draft.id)),
                Given::Absent => {}
            }
        }
        let mut circles: HashMap<Uuid, Vec<i64>> = HashMap::new();
        for cycle in manager_cycles(&edges) {
            let mut members: Vec<i64> = cycle.iter().filter_map(|id| rows.get(id).copied()).collect();
            members.sort_unstable();
            circles.extend(cycle.into_iter().map(|id| (id, members.clone())));
        }
        let stuck: HashSet<Uuid> =
            drafts.iter().filter(|d| d.person.is_some() && !d.faults.is_empty()).map(|d| d.id).collect();
        let mut changed = false;
        for draft in drafts.iter_mut().filter(|draft| draft.faults.is_empty()) {
            if let Some(members) = circles.get(&draft.id) {
                let detail = format!("The managers of the rows {} go round in a circle.", list(members));
                draft.faults.push(RowFault::new("manager_external_id", "manager_cycle", detail));
                changed = true;
            } else if draft.manager.value().is_some_and(|manager| lost.contains(manager)) {
                let detail = "The manager's own row is at fault, so the manager will not be made.";
                draft.faults.push(RowFault::new("manager_external_id", "manager_at_fault", detail));
                changed = true;
            } else if let Some((column, _)) = index.holders(draft).find(|(_, other)| stuck.contains(&other.id)) {
                let detail = "Another user has this, and the row that would change it is at fault.";
                draft.faults.push(RowFault::new(column, "taken", detail));
                changed = true;
            }
        }
        if !changed {
            return;
        }
    }
}

/// Names circles of managers also to rows that are at fault already, so that one look finds everything. Rows that share an external id
/// are one person here.
fn circles_of_faulty(drafts: &mut [Draft<'_>], index: &Index<'_>) {
    let mut in_list: HashMap<&str, Uuid> = HashMap::new();
    for draft in drafts.iter() {
        if let Some(external) = draft.employee.external_id.value() {
            in_list.entry(external).or_insert(draft.id);
        }
    }
    let one = |draft: &Draft<'_>| {
        draft.employee.external_id.value().and_then(|id| in_list.get(id.as_str()).copied()).unwrap_or(draft.id)
    };
    let ids: Vec<Uuid> = drafts.iter().map(one).collect();
    let mut edges: HashMap<Uuid, Uuid> =
        index.people.iter().filter_map(|p| Some((p.id, p.profile.manager_id?))).collect();
    let mut rows: HashMap<Uuid, Vec<i64>> = HashMap::new();
    for (draft, id) in drafts.iter().zip(&ids) {
        rows.entry(*id).or_default().push(draft.employee.row);
        if let Given::Value(external) = &draft.employee.manager {
            let known = || index.external.get(external.as_str()).and_then(|ix| index.people.get(*ix)).map(|p| p.id);
            edges.extend(in_list.get(external.as_str()).copied().or_else(known).map(|manager| (*id, manager)));
        }
    }
    let mut circles: HashMap<Uuid, Vec<i64>> = HashMap::new();
    for cycle in manager_cycles(&edges) {
        let mut members: Vec<i64> = cycle.iter().filter_map(|id| rows.get(id)).flatten().copied().collect();
        members.sort_unstable();
        circles.extend(cycle.into_iter().map(|id| (id, members.clone())));
    }
    for (draft, id) in drafts.iter_mut().zip(ids).filter(|(draft, _)| !draft.faults.is_empty()) {
        if let Some(members) = circles.get(&id) {
            let detail = format!("The managers of the rows {} go round in a circle.", list(members));
            draft.faults.push(RowFault::new("manager_external_id", "manager_cycle", detail));
        }
    }
}
