#![allow(clippy::as_conversions, reason = "small numbers")]

use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::*;
use crate::domain::organisation::manager_cycles;

/// A plan with its rows as they are shown.
struct Plan {
    rows: Vec<PlannedRow>,
    counts: BTreeMap<Action, u64>,
    guards: Vec<Guard>,
}

fn plan(employees: &[Employee], people: &[Person], options: &Options, new_id: impl FnMut() -> Uuid) -> Plan {
    let super::Plan { steps, counts, guards } = super::plan(employees, people, options, new_id);
    Plan { rows: steps.into_iter().map(|step| whole(step, employees, people)).collect(), counts, guards }
}

fn ids() -> impl FnMut() -> Uuid {
    let mut next = 1_000_u128;
    move || {
        next += 1;
        Uuid::from_u128(next)
    }
}

fn person(n: u128, fields: Value) -> Person {
    let text = |name: &str, default: &str| fields.get(name).and_then(Value::as_str).unwrap_or(default).to_owned();
    Person {
        id: Uuid::from_u128(n),
        version: 1,
        profile: Profile {
            external_id: Some(text("external_id", &format!("x{n}"))).filter(|id| !id.is_empty()),
            employee_number: fields.get("employee_number").and_then(Value::as_str).map(str::to_owned),
            email: text("email", &format!("p{n}@example.org")),
            given_name: "P".into(),
            family_name: "N".into(),
            attributes: fields.get("attributes").and_then(Value::as_object).cloned().unwrap_or_else(Map::new),
            manager_id: fields.get("manager").and_then(Value::as_u64).map(|n| Uuid::from_u128(n.into())),
            state: text("state", "active"),
        },
        user_name: fields.get("user_name").and_then(Value::as_str).map(str::to_owned),
        administers: fields.get("administers").is_some(),
        locked: fields.get("locked").map(|_| Lock::Admin),
    }
}

fn rows(list: Value) -> Vec<Employee> {
    rows_with(list, &Options::default())
}

fn rows_with(list: Value, options: &Options) -> Vec<Employee> {
    let read = |(n, row): (usize, &Value)| {
        let given = |v: &Value| if v.is_null() { Given::Empty } else { Given::Value(v.clone()) };
        let cells: BTreeMap<String, Given<Value>> =
            row.as_object().unwrap().iter().map(|(k, v)| (k.clone(), given(v))).collect();
        cells::read(i64::try_from(n).unwrap() + 1, &cells, options)
    };
    list.as_array().unwrap().iter().enumerate().map(read).collect()
}

fn full(n: u32) -> Value {
    json!({"external_id": format!("x{n}"), "email": format!("p{n}@example.org"), "given_name": "P", "family_name": "N"})
}

fn with(mut row: Value, field: &str, value: Value) -> Value {
    row[field] = value;
    row
}

fn codes(plan: &Plan) -> Vec<(i64, String)> {
    let faults = |row: &PlannedRow| row.faults.iter().map(|f| (row.row.unwrap(), f.code.clone())).collect::<Vec<_>>();
    plan.rows.iter().flat_map(faults).collect()
}

fn codes_of_errors(plan: &Plan) -> Vec<(i64, String)> {
    let mut codes: Vec<_> = plan
        .rows
        .iter()
        .filter(|row| row.action == Action::Error)
        .flat_map(|row| row.faults.iter().map(|fault| (row.row.unwrap(), fault.code.clone())))
        .collect();
    codes.sort();
    codes
}

fn count(plan: &Plan, action: Action) -> u64 {
    plan.counts[&action]
}

#[test]
fn each_kind_of_change_is_told() {
    let people = [
        person(1, json!({})),
        person(2, json!({})),
        person(3, json!({"state": "left"})),
        person(4, json!({})),
        person(5, json!({"external_id": ""})),
        person(6, json!({"state": "suspended"})),
    ];
    let list = rows(json!([full(1), with(full(2), "given_name", json!("Q")), full(3), full(6), full(9)]));
    let plan = plan(&list, &people, &Options { max_deactivate_percent: 100.0, ..Options::default() }, ids());
    let of = |action| plan.rows.iter().filter(|r| r.action == action).map(|r| r.row).collect::<Vec<_>>();
    assert_eq!(of(Action::Create), [Some(5)]);
    assert_eq!(of(Action::Update), [Some(2)]);
    assert_eq!(of(Action::Reactivate), [Some(3)]);
    assert_eq!(of(Action::Deactivate), [None], "x4 is missing; the user without an external id is not HR's");
    assert_eq!(count(&plan, Action::Unchanged), 2, "the suspension stays");
    assert!(plan.guards.is_empty(), "{:?}", plan.guards);
}

#[test]
fn people_are_matched_by_external_id_then_number_then_email() {
    let people = [
        person(1, json!({"external_id": "", "employee_number": "77"})),
        person(2, json!({"external_id": ""})),
        person(3, json!({"external_id": "other", "email": "p3@example.org"})),
    ];
    let list = rows(json!([
        {"external_id": "n1", "employee_number": "77"},
        {"external_id": "n2", "email": "P2@example.org"},
        full(3)
    ]));
    let plan = plan(&list, &people, &Options::default(), ids());
    let after: HashMap<Uuid, Option<String>> =
        plan.rows.iter().filter_map(|r| Some((r.user?, r.after.as_ref()?.external_id.clone()))).collect();
    assert_eq!(after[&Uuid::from_u128(1)].as_deref(), Some("n1"));
    assert_eq!(after[&Uuid::from_u128(2)].as_deref(), Some("n2"));
    assert_eq!(codes(&plan), [(3, "other_person".to_owned())]);
}

#[test]
fn every_mistake_is_named_with_its_row() {
    let long = "x".repeat(1 << 20);
    let cases = [
        (json!([full(1), full(1)]), vec![(1, "duplicate"), (1, "duplicate"), (2, "duplicate"), (2, "duplicate")]),
        (json!([with(full(1), "manager_external_id", json!("nobody"))]), vec![(1, "unknown_manager")]),
        (json!([with(full(1), "manager_external_id", json!("x1"))]), vec![(1, "manager_cycle")]),
        (
            json!([
                with(full(1), "manager_external_id", json!("x2")),
                with(full(2), "manager_external_id", json!("x1"))
            ]),
            vec![(1, "manager_cycle"), (2, "manager_cycle")],
        ),
        (
            json!([with(full(1), "email", json!("nonsense")), with(full(2), "manager_external_id", json!("x1"))]),
            vec![(1, "invalid_email"), (2, "manager_at_fault")],
        ),
        (json!([with(full(1), "given_name", json!(long))]), vec![(1, "too_long")]),
        (json!([with(full(1), "family_name", json!("=HYPERLINK(\"http://x\")"))]), vec![(1, "formula")]),
        (json!([with(full(1), "department", json!("+cmd|' /C calc'!A0"))]), vec![(1, "formula")]),
        (json!([with(full(1), "colour", json!("red"))]), vec![(1, "unknown_field")]),
        (json!([with(full(1), "active", json!("maybe"))]), vec![(1, "wrong_type")]),
        (json!([with(full(1), "given_name", json!("M\u{FFFD}ller"))]), vec![(1, "wrong_encoding")]),
        (json!([{"email": "a@example.org", "given_name": "A", "family_name": "B"}]), vec![(1, "required")]),
        (json!([{"external_id": "n"}]), vec![(1, "required"), (1, "required"), (1, "required")]),
    ];
    for (list, expected) in cases {
        let plan = plan(&rows(list), &[], &Options::default(), ids());
        let expected: Vec<_> = expected.into_iter().map(|(row, code)| (row, code.to_owned())).collect();
        assert_eq!(codes(&plan), expected);
        assert_eq!(count(&plan, Action::Create), 0);
        assert_eq!(plan.guards[0].code, "too_many_errors");
    }
}

#[test]
fn dates_are_read_in_the_style_that_the_list_names() {
    use dates::DateStyle::{DayFirst, Iso, MonthFirst};
    for (text, style, date) in [
        ("2026-11-24", Iso, Some("2026-11-24")),
        ("24.11.2026", Iso, None),
        ("24.11.2026", DayFirst, Some("2026-11-24")),
        ("3/4/2026", DayFirst, Some("2026-04-03")),
        ("3/4/2026", MonthFirst, Some("2026-03-04")),
        ("24/11/2026", MonthFirst, None),
        ("2026-02-30", Iso, None),
        ("24.11.26", DayFirst, None),
    ] {
        assert_eq!(dates::read(text, style).as_deref(), date, "{text}");
    }
    let options = Options { date_attributes: vec!["hired_on".into()], ..Options::default() };
    let list = rows_with(json!([with(full(1), "attributes.hired_on", json!("24.11.2026"))]), &options);
    assert_eq!(codes(&plan(&list, &[], &options, ids())), [(1, "invalid_date".to_owned())]);
}

#[test]
fn keys_are_handed_on_within_one_piece() {
    let people: Vec<Person> = (1..=700).map(|n| person(n, json!({"employee_number": format!("{n}")}))).collect();
    let numbered = |n: u32, number: u32| with(full(n), "employee_number", json!(format!("{number}")));
    // Two swap their e-mails, three hand on their numbers in a circle, a new one gets what somebody gives up, and reports to a new one.
    let mut list: Vec<Value> = (1..=700).map(|n| with(numbered(n, n), "given_name", json!("Q"))).collect();
    list[0]["email"] = json!("p699@example.org");
    list[698]["email"] = json!("P1@example.org");
    for (at, number) in [(9, 400), (399, 650), (649, 10)] {
        list[at]["employee_number"] = json!(format!("{number}"));
    }
    list[20]["email"] = json!("moved@example.org");
    list.push(with(with(full(9000), "email", json!("p21@example.org")), "manager_external_id", json!("x9001")));
    list.push(full(9001));
    let plan = plan(&rows(Value::Array(list)), &people, &Options::default(), ids());
    assert_eq!(codes(&plan), []);
    let piece = |row: i64| plan.rows.iter().find(|planned| planned.row == Some(row)).unwrap().piece;
    assert_eq!(piece(1), piece(699));
    assert_eq!([piece(10), piece(400)], [piece(650), piece(650)]);
    assert_eq!([piece(21), piece(702)], [piece(701), piece(701)]);
    let at = |row: i64| plan.rows.iter().position(|planned| planned.row == Some(row)).unwrap();
    assert!(at(702) < at(701), "the manager is made first");
    assert!(plan.rows.is_sorted_by_key(|row| row.piece));
    for piece in 0..=plan.rows.last().unwrap().piece {
        assert!((1..=210).contains(&plan.rows.iter().filter(|row| row.piece == piece).count()));
    }
}

#[test]
fn a_key_is_not_handed_on_by_a_row_that_keeps_it_or_is_at_fault() {
    let people: Vec<Person> = (1..=3).map(|n| person(n, json!({}))).collect();
    let swap = |n: u32, of: u32| with(full(n), "email", json!(format!("p{of}@example.org")));
    for (list, expected) in [
        (json!([swap(1, 2)]), vec![(1, "taken")]),
        (json!([swap(1, 2), {"external_id": "x2"}]), vec![(1, "taken")]),
        (json!([swap(1, 2), swap(2, 1)]), vec![]),
        (json!([swap(1, 2), swap(2, 3), swap(3, 1)]), vec![]),
        (
            json!([swap(1, 2), swap(2, 3), with(swap(3, 1), "manager_external_id", json!("x3"))]),
            vec![(1, "taken"), (2, "taken"), (3, "manager_cycle")],
        ),
    ] {
        let options = Options { deactivate_missing: false, ..Options::default() };
        let plan = plan(&rows(list), &people, &options, ids());
        let expected: Vec<_> = expected.into_iter().map(|(row, code)| (row, code.to_owned())).collect();
        assert_eq!(codes(&plan), expected);
    }
}

#[test]
fn guards_block_what_looks_wrong() {
    let people: Vec<Person> = (1..=20).map(|n| person(n, json!({"attributes": {"department": "Sales"}}))).collect();
    let all = |n: std::ops::RangeInclusive<u32>| Value::Array(n.map(full).collect());
    let names = |list: Vec<Employee>| {
        plan(&list, &people, &Options::default(), ids()).guards.into_iter().map(|g| g.code).collect::<Vec<_>>()
    };
    assert_eq!(names(rows(all(1..=20))), Vec::<String>::new());
    assert_eq!(names(rows(all(1..=18))), Vec::<String>::new(), "exactly 10 %");
    assert_eq!(names(rows(all(1..=17))), ["too_many_deactivations"]);
    assert_eq!(names(rows(json!([]))), ["empty_list", "too_many_deactivations"]);
    let blank = Value::Array((1..=20).map(|n| with(full(n), "department", Value::Null)).collect());
    assert_eq!(names(rows(blank)), ["column_emptied"]);
    let mut one_lost = all(1..=18);
    one_lost
        .as_array_mut()
        .unwrap()
        .push(json!({"external_id": "=x19", "email": "?", "given_name": "P", "family_name": "N"}));
    assert_eq!(names(rows(one_lost)), ["unidentified_rows"]);
}

#[test]
fn the_suspended_neither_leave_nor_count() {
    let state = |n: u128| if n > 10 { "suspended" } else { "active" };
    let people: Vec<Person> = (1..=30).map(|n| person(n, json!({"state": state(n)}))).collect();
    let made = |list: Value| plan(&rows(list), &people, &Options::default(), ids());
    let all = |n: std::ops::RangeInclusive<u32>| Value::Array(n.map(full).collect());
    let gone = made(all(1..=10));
    assert_eq!(
        (count(&gone, Action::Deactivate), gone.rows.len(), gone.guards.len()),
        (0, 0, 0),
        "they are missing, and stay"
    );
    // Two of ten active ones are too many, however many are suspended; a suspended one who is said to have left is none of them.
    let two = made(all(1..=8));
    assert_eq!(count(&two, Action::Deactivate), 2);
    assert_eq!(two.guards[0].code, "too_many_deactivations");
    assert!(two.guards[0].detail.starts_with("2 of 10 "), "{}", two.guards[0].detail);
    let mut list = all(1..=30);
    for row in list.as_array_mut().unwrap().iter_mut().skip(10) {
        row["active"] = json!(false);
    }
    let told = made(list);
    assert_eq!((count(&told, Action::Deactivate), told.guards.len()), (20, 0));
}

#[test]
fn what_cannot_be_read_lacks_nothing_else() {
    let people: Vec<Person> = (1..=20).map(|n| person(n, json!({}))).collect();
    let mut list = rows(Value::Array((2..=19).map(full).collect()));
    let fault = || RowFault::new("", "malformed", "This is not JSON.");
    list.push(Employee::unreadable(100, fault()));
    list.push(Employee { row: 101, ..list[0].clone() }.only_keys(fault()));
    list.remove(0);
    let plan = plan(&list, &people, &Options { max_error_percent: 100.0, ..Options::default() }, ids());
    assert_eq!(codes_of_errors(&plan), [(100, "malformed".to_owned()), (101, "malformed".to_owned())]);
    assert_eq!(count(&plan, Action::Deactivate), 2, "x1 and x20; x2 is told by what could be read");
    assert_eq!(plan.guards[0].code, "unidentified_rows", "x1 may stand in row 100");
}

proptest! {
    /// Whatever the list, managers come before those who report to them, nobody goes round in a circle, and each row counts once.
    #[test]
    fn plans_are_sound(edges in proptest::collection::vec((0_u32..30, proptest::option::of(0_u32..40)), 0..40), known in 0_u128..10) {
        let list: Vec<Value> = edges.iter().map(|(n, manager)| match manager {
            Some(m) => with(full(*n), "manager_external_id", json!(format!("x{m}"))),
            None => full(*n),
        }).collect();
        let people: Vec<Person> = (1..=known).map(|n| person(n, json!({}))).collect();
        let list = rows(Value::Array(list));
        let plan = plan(&list, &people, &Options::default(), ids());
        let mut there: HashSet<Uuid> = people.iter().map(|p| p.id).collect();
        let mut manager_of: HashMap<Uuid, Uuid> = HashMap::new();
        for row in plan.rows.iter().filter(|row| row.action != Action::Error) {
            let after = row.after.as_ref().unwrap();
            if let Some(manager) = after.manager_id {
                prop_assert!(there.contains(&manager), "made before its manager");
                manager_of.insert(row.user.unwrap(), manager);
            }
            there.insert(row.user.unwrap());
        }
        prop_assert!(manager_cycles(&manager_of).is_empty());
        let listed = list.len() as u64 + plan.rows.iter().filter(|r| r.row.is_none()).count() as u64;
        prop_assert_eq!(plan.counts.values().sum::<u64>(), listed);
    }

    /// However keys are handed on among those who are known, the pieces can be written one after the other, each at once.
    #[test]
    fn any_exchange_of_keys_can_be_applied(to in Just((0_u32..12).collect::<Vec<_>>()).prop_shuffle(), new in 0_u32..3) {
        let people: Vec<Person> = (1..=12).map(|n| person(n, json!({}))).collect();
        let mut list: Vec<Value> = to.iter().zip(1..).map(|(of, n)| with(full(n), "email", json!(format!("p{}@example.org", of + 1)))).collect();
        for n in 0..new {
            list[n as usize]["email"] = json!(format!("new{n}@example.org"));
        }
        let plan = plan(&rows(Value::Array(list)), &people, &Options::default(), ids());
        prop_assert_eq!(codes(&plan), vec![]);
        let mut holder: HashMap<Uuid, String> = people.iter().map(|p| (p.id, p.profile.email.clone())).collect();
        for piece in 0..=plan.rows.last().map_or(0, |row| row.piece) {
            for row in plan.rows.iter().filter(|row| row.piece == piece) {
                holder.insert(row.user.unwrap(), row.after.as_ref().unwrap().email.clone());
            }
            let distinct: HashSet<&String> = holder.values().collect();
            prop_assert_eq!(distinct.len(), holder.len());
        }
    }

    /// Applying a plan leaves nothing to do.
    #[test]
    fn a_second_plan_changes_nothing(numbers in proptest::collection::btree_set(0_u32..50, 0..30)) {
        let list = rows(Value::Array(numbers.iter().map(|n| full(*n)).collect()));
        let first = plan(&list, &[], &Options::default(), ids());
        let people: Vec<Person> = first.rows.iter()
            .map(|row| Person { id: row.user.unwrap(), version: 1, profile: row.after.clone().unwrap(), user_name: None, administers: false, locked: None }).collect();
        let second = plan(&list, &people, &Options::default(), ids());
        prop_assert_eq!(second.counts[&Action::Unchanged], numbers.len() as u64);
        prop_assert!(second.rows.is_empty());
    }
}

#[test]
fn a_duplicate_on_a_circle_is_told_both() {
    let list = rows(json!([
        with(full(1), "manager_external_id", json!("x2")),
        with(with(full(1), "email", json!("other@example.org")), "manager_external_id", json!("x2")),
        with(full(2), "manager_external_id", json!("x1")),
    ]));
    let plan = plan(&list, &[], &Options::default(), ids());
    for row in plan.rows.iter().filter(|row| row.row != Some(3)) {
        let codes: Vec<&str> = row.faults.iter().map(|fault| fault.code.as_str()).collect();
        assert_eq!(codes, ["duplicate", "manager_cycle"]);
    }
}

#[test]
fn who_cannot_be_changed_is_a_conflict_from_the_start() {
    let people = [person(1, json!({"locked": true})), person(2, json!({})), person(3, json!({"locked": true}))];
    let list = rows(json!([with(full(1), "department", json!("Law")), with(full(2), "department", json!("Law"))]));
    let plan = plan(&list, &people, &Options::default(), ids());
    let mut told: Vec<_> = plan
        .rows
        .iter()
        .map(|row| (row.action, row.user, row.action != Action::Error && !row.faults.is_empty()))
        .collect();
    told.sort();
    let id = |n| Some(Uuid::from_u128(n));
    assert_eq!(
        told,
        [(Action::Update, id(1), true), (Action::Update, id(2), false), (Action::Deactivate, id(3), true)]
    );
    assert!(plan.guards.iter().all(|guard| guard.code != "too_many_deactivations"));
}

#[test]
fn an_email_that_is_anothers_name_is_taken() {
    let people = [person(1, json!({})), person(2, json!({"user_name": "ada@example.org"}))];
    let list = rows(json!([with(full(1), "email", json!("Ada@example.org")), full(2)]));
    let plan = plan(&list, &people, &Options::default(), ids());
    assert_eq!((plan.rows.len(), plan.rows[0].faults[0].code.as_str()), (1, "taken"));
}

#[test]
fn the_last_admin_stays_and_another_may_go() {
    let admin = |n, state: &str| person(n, json!({"administers": true, "state": state}));
    let leave = |n: u32| json!({"external_id": format!("x{n}"), "active": false});
    let options = Options { max_deactivate_percent: 100.0, ..Options::default() };
    // Of whom there are two, one may go; when both would, both stay. Who comes back, or only was one, counts as it is.
    for (people, list, stays) in [
        (vec![admin(1, "active")], json!([]), 1),
        (vec![admin(1, "active"), person(2, json!({}))], json!([leave(1), full(2)]), 1),
        (vec![admin(1, "active"), admin(2, "active")], json!([leave(1), full(2)]), 0),
        (vec![admin(1, "active"), admin(2, "active")], json!([leave(1), leave(2)]), 2),
        (vec![admin(1, "active"), admin(2, "suspended")], json!([leave(1), full(2)]), 1),
        (vec![admin(1, "active"), admin(2, "left")], json!([leave(1), full(2)]), 0),
        (vec![admin(1, "suspended"), person(2, json!({}))], json!([leave(1), leave(2)]), 0),
    ] {
        let plan = plan(&rows(list), &people, &options, ids());
        let kept: Vec<_> = plan.rows.iter().flat_map(|row| &row.faults).collect();
        assert_eq!(kept.len(), stays, "{kept:?}");
        assert!(kept.iter().all(|fault| fault.detail == Lock::LastAdmin.reason()), "{kept:?}");
    }
}
