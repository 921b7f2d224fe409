//! What many do at the same time: nobody is lost, nobody is left over, and nobody is refused for it.

use std::sync::Barrier;

use crate::support::factory::{article, learners, sequence};
use crate::support::{Answer, Client, TestApp, Value, json};

type Call<'a> = Box<dyn Fn() -> Answer + Send + Sync + 'a>;

/// Makes all calls at once; their answers, in order.
fn at_once(calls: &[Call<'_>]) -> Vec<Answer> {
    let start = &Barrier::new(calls.len());
    std::thread::scope(|scope| {
        let threads: Vec<_> = calls
            .iter()
            .map(|call| {
                scope.spawn(move || {
                    start.wait();
                    call()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    })
}

/// Makes all calls at once, each of which is a success.
fn all_well(calls: &[Call<'_>]) {
    for answer in at_once(calls) {
        answer.ok();
    }
}

/// This call among those.
fn amid<'a>(mut calls: Vec<Call<'a>>, call: Call<'a>) -> Vec<Call<'a>> {
    calls.insert(calls.len() / 3, call);
    calls
}

fn join<'a>(app: &'a TestApp, group: &'a str, who: &'a [Client]) -> Vec<Call<'a>> {
    who.iter()
        .map(|one| -> Call<'a> {
            Box::new(move || app.admin().put(&format!("/v1/groups/{group}/members/{}", one.id()), json!({})))
        })
        .collect()
}

fn leave<'a>(app: &'a TestApp, group: &'a str, who: &'a [Client]) -> Vec<Call<'a>> {
    who.iter()
        .map(|one| -> Call<'a> {
            Box::new(move || app.admin().delete(&format!("/v1/groups/{group}/members/{}", one.id())))
        })
        .collect()
}

fn group(app: &TestApp, kind: &str) -> String {
    app.admin().post("/v1/groups", json!({"name": "G", "kind": kind})).expect(201).id()
}

fn course(app: &TestApp) -> String {
    app.course("linear_autoplay", &json!({"stages": [sequence("start", "linear", vec![article("read")])]}))
}

fn assignment(course: &str, group: &str) -> String {
    format!("/v1/courses/{course}/group-enrollments/{group}")
}

fn active(app: &TestApp, course: &str) -> usize {
    app.work();
    app.admin().all(&format!("/v1/courses/{course}/enrollments?status=active&limit=200")).len()
}

fn members(app: &TestApp, group: &str) -> usize {
    app.work();
    app.admin().all(&format!("/v1/groups/{group}/members?limit=200")).len()
}

both! {
    /// Whoever joins while the course is being assigned is in it; whoever joins while that ends is not.
    fn people_join_while_a_course_comes_and_goes(app) {
        let people = learners(app, 30);
        for _ in 0..3 {
            let (course, group) = (course(app), group(app, "static"));
            let path = assignment(&course, &group);
            let assign: Call<'_> = Box::new(|| app.admin().put(&path, json!({"withdraw_on_leave": true})));
            all_well(&amid(join(app, &group, &people[..20]), assign));
            assert_eq!(active(app, &course), 20);
            let end: Call<'_> = Box::new(|| app.admin().delete(&format!("{path}?withdraw=true")));
            all_well(&amid(join(app, &group, &people[20..]), end));
            assert_eq!((active(app, &course), members(app, &group)), (0, 30));
        }
    }

    /// So it is for those whom an identity provider puts in.
    fn a_provider_adds_people_while_a_course_comes(app) {
        let people = learners(app, 20);
        for _ in 0..3 {
            let (course, group) = (course(app), group(app, "static"));
            let path = assignment(&course, &group);
            let add = |some: &[Client]| -> Call<'_> {
                let members: Vec<Value> = some.iter().map(|one| json!({"value": one.id()})).collect();
                let group = &group;
                Box::new(move || crate::scim::patch(app.admin(), &crate::scim::group(group), json!([{"op": "add", "path": "members", "value": members}])))
            };
            let assign: Call<'_> = Box::new(|| app.admin().put(&path, json!({})));
            all_well(&amid(people.chunks(5).map(add).collect(), assign));
            assert_eq!((members(app, &group), active(app, &course)), (20, 20));
        }
    }

    /// Whoever joins a unit while it moves has the courses of where it comes, and not of where it was.
    fn people_join_while_their_unit_moves(app) {
        let people = learners(app, 30);
        for _ in 0..3 {
            let (course, top, low) = (course(app), group(app, "unit"), group(app, "unit"));
            app.admin().put(&assignment(&course, &top), json!({"withdraw_on_leave": true})).ok();
            let to = |parent: Value| -> Call<'_> {
                let low = &low;
                Box::new(move || app.admin().patch(&format!("/v1/groups/{low}"), json!({"parent_id": parent})))
            };
            all_well(&amid(join(app, &low, &people[..20]), to(json!(top))));
            assert_eq!(active(app, &course), 20);
            all_well(&amid(join(app, &low, &people[20..]), to(Value::Null)));
            assert_eq!((active(app, &course), members(app, &low)), (0, 30));
        }
    }

    /// Whoever comes into two groups with the same course at once is in it once; whoever leaves both at once is out.
    fn people_join_and_leave_two_groups(app) {
        let people = learners(app, 10);
        let (course, one, two) = (course(app), group(app, "static"), group(app, "static"));
        for group in [&one, &two] {
            app.admin().put(&assignment(&course, group), json!({"withdraw_on_leave": true})).ok();
        }
        for _ in 0..3 {
            all_well(&join(app, &one, &people).into_iter().chain(join(app, &two, &people)).collect::<Vec<_>>());
            assert_eq!(active(app, &course), 10);
            all_well(&leave(app, &one, &people).into_iter().chain(leave(app, &two, &people)).collect::<Vec<_>>());
            assert_eq!(active(app, &course), 0);
        }
    }

    /// Conditions change, and groups are made, while the attributes that they ask for do.
    fn conditions_and_attributes_change(app) {
        let people = learners(app, 20);
        let condition = |value: &str| json!({"attribute": {"name": "site", "op": "equals", "value": value}});
        let dynamic = |value: &str| json!({"name": "D", "kind": "dynamic", "condition": condition(value)});
        let move_all = |value: &str| -> Vec<Call<'_>> {
            let attributes = json!({"attributes": {"site": value}});
            let call = |one: &Client| -> Call<'_> {
                let (path, body) = (format!("/v1/users/{}", one.id()), attributes.clone());
                Box::new(move || app.admin().patch(&path, body.clone()))
            };
            people.iter().map(call).collect()
        };
        let known = app.admin().post("/v1/groups", dynamic("none")).expect(201).id();
        for round in ["a", "b", "c"] {
            let change: Call<'_> = Box::new(|| app.admin().patch(&format!("/v1/groups/{known}"), json!({"condition": condition(round)})));
            let make: Call<'_> = Box::new(|| app.admin().post("/v1/groups", dynamic(round)));
            let answers = at_once(&amid(amid(move_all(round), change), make));
            let made = answers.into_iter().map(Answer::ok).find(|answer| answer.status == 201).unwrap().id();
            assert_eq!((members(app, &known), members(app, &made)), (20, 20));
        }
    }

    /// The same people in many lists, in any order, beside others who make them one by one: each list gets its verdicts.
    fn the_same_people_are_written_in_bulk(app) {
        let person = |n: usize| json!({"email": format!("p{n}@example.org"), "given_name": "P", "family_name": "N", "external_id": format!("x{n}"), "employee_number": format!("{n}")});
        let upsert = |users: Vec<Value>| -> Call<'_> {
            let body = json!({"mode": "upsert", "users": users});
            Box::new(move || app.admin().post("/v1/users/bulk", body.clone()))
        };
        let good = |answer: Answer| {
            let answer = answer.expect(200);
            assert_eq!(answer["counts"]["error"], 0, "{}", answer.text());
        };
        at_once(&(0..8).map(|_| upsert(vec![person(0)])).collect::<Vec<_>>()).into_iter().for_each(good);
        for round in 1..4 {
            let range = || (round * 100)..(round * 100 + 60);
            let mut calls: Vec<Call<'_>> = (0..2).flat_map(|_| [upsert(range().map(person).collect()), upsert(range().rev().map(person).collect())]).collect();
            let lists = calls.len();
            for n in range().step_by(10) {
                calls.push(Box::new(move || app.admin().post("/v1/users", person(n))));
            }
            let mut answers = at_once(&calls);
            assert!(answers.split_off(lists).iter().all(|answer| [201, 409].contains(&answer.status)));
            answers.into_iter().for_each(good);
        }
        assert_eq!(app.admin().all("/v1/users?limit=200").len(), 1 + 1 + 180);
    }
}
