//! Ways into a course, seats and the waitlist, learning events, moving to a newer revision.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a scenario is a test, and fails by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};

use cairn::db::schema::{role_grants, sessions, users};
use cairn::db::types::{At, Id};
use diesel::{ExpressionMethods, RunQueryDsl};
use uuid::Uuid;

use crate::support::factory::{article, sequence, unique, video};
use crate::support::{Client, TestApp, Value, json};

fn reading() -> Value {
    json!({"stages": [sequence("s", "linear", vec![article("a"), article("b")])]})
}

fn course(app: &TestApp, mut fields: Value) -> String {
    fields["title"] = json!(unique("Course "));
    fields["style"] = json!("linear_autoplay");
    app.course_with(fields, &reading())
}

/// So many users with sessions, made in one transaction and without hashing a password.
fn crowd(app: &TestApp, size: usize) -> Vec<Client> {
    let now = app.state.clock.now();
    let ids: Vec<(Uuid, Uuid)> = (0..size).map(|_| (cairn::clock::new_id(now), cairn::clock::new_id(now))).collect();
    let made = ids.clone();
    app.state
        .db
        .write_here(move |conn| {
            for (user, session) in made {
                let email = format!("{user}@example.org");
                diesel::insert_into(users::table)
                    .values((
                        users::id.eq(Id(user)),
                        users::email.eq(email.clone()),
                        users::email_key.eq(email),
                        users::given_name.eq("One"),
                        users::family_name.eq("Of Many"),
                        users::state.eq("active"),
                        users::attributes.eq(cairn::db::types::Json(json!({}))),
                        users::version.eq(1_i64),
                        users::created_at.eq(At(now)),
                        users::updated_at.eq(At(now)),
                    ))
                    .execute(conn)?;
                diesel::insert_into(role_grants::table)
                    .values((
                        role_grants::id.eq(Id(cairn::clock::new_id(now))),
                        role_grants::user_id.eq(Id(user)),
                        role_grants::role.eq("learner"),
                        role_grants::reach.eq("site"),
                        role_grants::reach_id.eq(Id(Uuid::nil())),
                        role_grants::created_at.eq(At(now)),
                    ))
                    .execute(conn)?;
                diesel::insert_into(sessions::table)
                    .values((
                        sessions::id.eq(Id(session)),
                        sessions::user_id.eq(Id(user)),
                        sessions::created_at.eq(At(now)),
                        sessions::refreshed_at.eq(At(now)),
                        sessions::expires_at.eq(At(now + chrono::TimeDelta::days(1))),
                    ))
                    .execute(conn)?;
            }
            Ok(())
        })
        .unwrap();
    let hour = std::time::Duration::from_secs(3600);
    ids.into_iter()
        .map(|(user, session)| {
            let token = app.state.tokens.sign(user, Some(session), None, now, hour).unwrap();
            let mut client = app.with_token(&token);
            client.user_id = Some(user.to_string());
            client
        })
        .collect()
}

both! {
    fn each_policy_lets_in_whom_it_should(app) {
        let ada = app.user("ada");
        let enroll = |course: &str, body: Value| ada.post(&format!("/v1/courses/{course}/enrollments"), body);
        let open = course(app, json!({}));
        let e = enroll(&open, json!({})).expect(201);
        assert_eq!((&e["source"], &e["generation"], &e["status"]), (&json!("self"), &json!(1), &json!("active")));
        let again = enroll(&open, json!({})).problem(409, "conflict");
        assert_eq!(again["enrollment_id"], e["id"]);
        let coded = course(app, json!({"enrollment_policy": "access_code", "access_code": "open sesame"}));
        enroll(&coded, json!({})).problem(403, "access_code_wrong");
        enroll(&coded, json!({"access_code": "wrong"})).problem(403, "access_code_wrong");
        enroll(&coded, json!({"access_code": "open sesame"})).expect(201);
        let assigned = course(app, json!({"enrollment_policy": "assigned"}));
        enroll(&assigned, json!({})).problem(403, "enrollment_closed");
        let by_staff = app.admin().post(&format!("/v1/courses/{assigned}/enrollments"), json!({"user_id": ada.id()})).expect(201);
        assert_eq!(by_staff["source"], "assigned");
        let approval = course(app, json!({"enrollment_policy": "approval"}));
        let pending = enroll(&approval, json!({})).expect(201);
        assert_eq!(pending["status"], "pending");
        let id = pending.id();
        assert!(ada.open(&id, "a").status >= 400, "nobody learns before the approval");
        ada.post(&format!("/v1/enrollments/{id}/approve"), json!({})).problem(403, "forbidden");
        assert_eq!(app.admin().post(&format!("/v1/enrollments/{id}/approve"), json!({})).expect(200)["status"], "active");
        let twice = app.admin().post(&format!("/v1/enrollments/{id}/approve"), json!({})).problem(409, "wrong_state");
        assert_eq!(twice["enrollment_status"], "active");
    }

    fn enrolling_again_starts_a_new_generation(app) {
        let ada = app.user("ada");
        let course = course(app, json!({}));
        let first = ada.enroll(&course);
        ada.open(&first, "a").expect(200);
        assert_eq!(ada.open(&first, "b").expect(200)["enrollment"]["status"], "completed");
        let second = ada.post(&format!("/v1/courses/{course}/enrollments"), json!({})).expect(201);
        assert_eq!((&second["generation"], &second["progress"]["percent"]), (&json!(2), &json!(0.0)));
        assert_eq!(ada.states(&second.id())["a"], "available");
        assert_eq!(ada.states(&first)["a"], "completed");
    }

    fn a_freed_seat_goes_to_the_first_in_line(app) {
        let course = course(app, json!({"seats": 1}));
        let (ada, bob, eve) = (app.user("ada"), app.user("bob"), app.user("eve"));
        let a = ada.enroll(&course);
        let (b, e) = (bob.enroll(&course), eve.enroll(&course));
        let line = |who: &Client, id: &str| who.get(&format!("/v1/enrollments/{id}")).expect(200).json;
        assert_eq!((&line(&bob, &b)["waitlist_position"], &line(&eve, &e)["waitlist_position"]), (&json!(1), &json!(2)));
        ada.post(&format!("/v1/enrollments/{a}/withdraw"), json!({})).expect(200);
        assert_eq!((&line(&bob, &b)["status"], &line(&eve, &e)["waitlist_position"]), (&json!("active"), &json!(1)));
        app.admin().patch(&format!("/v1/courses/{course}"), json!({"seats": 2})).expect(200);
        assert_eq!(line(&eve, &e)["status"], "active");
    }

    fn a_thousand_race_for_ten_seats(app) {
        let course = course(app, json!({"seats": 10}));
        let crowd = crowd(app, 1000);
        let turn = AtomicUsize::new(0);
        let race = || {
            let mut answers = Vec::new();
            while let Some(one) = crowd.get(turn.fetch_add(1, Ordering::Relaxed)) {
                let answer = one.post(&format!("/v1/courses/{course}/enrollments"), json!({})).expect(201);
                answers.push((answer.json["status"].as_str().unwrap().to_owned(), answer.json["waitlist_position"].as_i64()));
            }
            answers
        };
        let answers: Vec<_> = std::thread::scope(|scope| {
            let runners: Vec<_> = (0..32).map(|_| scope.spawn(race)).collect();
            runners.into_iter().flat_map(|runner| runner.join().unwrap()).collect()
        });
        assert_eq!(answers.len(), 1000);
        assert_eq!(answers.iter().filter(|(status, _)| status == "active").count(), 10);
        let mut line: Vec<i64> = answers.iter().filter_map(|(_, position)| *position).collect();
        line.sort_unstable();
        assert_eq!(line, (1..=990).collect::<Vec<_>>(), "each has a place of their own in the line");
    }

    fn events_may_come_late_twice_and_in_any_order(app) {
        let outline = json!({"stages": [sequence("s", "linear", vec![video("v"), article("a")])]});
        let course = app.course("linear_autoplay", &outline);
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let start = app.state.clock.now();
        app.advance(600);
        let event = |n: u128, from: u32, to: u32, after: i64| {
            json!({"id": Uuid::from_u128(n), "type": "watched", "module": "v", "from_seconds": from, "to_seconds": to, "at": start + chrono::TimeDelta::seconds(after)})
        };
        let send = |events: Value| ada.post(&format!("/v1/enrollments/{e}/events"), json!({ "events": events }));
        let late = send(json!([event(2, 40, 60, 60), event(1, 0, 50, 30), event(2, 40, 60, 60)])).expect(200);
        let verdicts: Vec<&str> = late["results"].as_array().unwrap().iter().map(|r| r["status"].as_str().unwrap()).collect();
        assert_eq!(verdicts.iter().filter(|v| **v == "duplicate").count(), 1, "{verdicts:?}");
        // An older one arrives last: the seconds are counted once, the newest position stays.
        send(json!([event(3, 10, 30, 10)])).expect(200);
        let module = ada.get(&format!("/v1/enrollments/{e}/modules/v")).expect(200);
        assert_eq!((module["watched_percent"].as_f64(), module["resume_at_seconds"].as_f64()), (Some(60.0), Some(60.0)));
        // In one batch a later event may open what an earlier one in the list needs.
        let opens_a = json!({"id": Uuid::from_u128(9), "type": "opened", "module": "a", "at": start + chrono::TimeDelta::seconds(120)});
        let done = send(json!([opens_a, event(4, 60, 100, 90)])).expect(200);
        assert_eq!(done["enrollment"]["status"], "completed");
        // What was known then.
        let before = (start + chrono::TimeDelta::seconds(70)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let path = ada.get(&format!("/v1/enrollments/{e}/path?as_of={before}")).expect(200);
        assert_eq!(path["stages"][0]["modules"][0]["state"], "in_progress");
    }

    fn a_batch_has_up_to_500_events(app) {
        let course = course(app, json!({}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let batch = |n: u128| json!({"events": (0..n).map(|i| json!({"id": Uuid::from_u128(i + 1), "type": "opened", "module": "a"})).collect::<Vec<_>>()});
        assert_eq!(ada.post(&format!("/v1/enrollments/{e}/events"), batch(501)).faults(), ["/events"]);
        let answer = ada.post(&format!("/v1/enrollments/{e}/events"), batch(500)).expect(200);
        assert!(answer["results"].as_array().unwrap().iter().all(|r| r["status"] == "applied"));
        let e2 = app.user("bob");
        let b = e2.enroll(&course);
        let locked = e2.open(&b, "b").problem(403, "module_locked");
        assert!(locked["reasons"].as_array().is_some_and(|r| !r.is_empty()), "{}", locked.text());
    }

    fn an_enrollment_moves_to_a_newer_revision_when_told_to(app) {
        let course = course(app, json!({}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.open(&e, "a").expect(200);
        let newer = json!({"stages": [sequence("s", "linear", vec![article("b"), article("c")])]});
        app.admin().put(&format!("/v1/courses/{course}/outline"), newer).expect(200);
        app.admin().post(&format!("/v1/courses/{course}/publish"), json!({})).expect(201);
        assert!(ada.states(&e).contains_key("a"), "the ground does not shift unseen");
        let moved = app.admin().post(&format!("/v1/enrollments/{e}/upgrade"), json!({})).expect(200);
        assert_eq!((&moved["from_revision"], &moved["to_revision"]), (&json!(1), &json!(2)));
        assert!(moved["dropped"].to_string().contains("\"a\""), "{}", moved.text());
        assert_eq!(ada.states(&e).into_keys().collect::<Vec<_>>(), ["b", "c"]);
    }
}
