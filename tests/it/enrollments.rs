//! Ways into a course, seats and the waitlist, generations, revisions.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::factory::{article, quiz, right, sequence, video};
use crate::support::{TestApp, Value, json};

fn course(app: &TestApp, fields: Value) -> String {
    let mut all = json!({"title": "Course", "style": "linear_autoplay"});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let outline = json!({"stages": [sequence("s", "linear", vec![video("v")])]});
    app.course_with(all, &outline)
}

both! {
    fn the_four_policies(app) {
        let open = course(app, json!({"enrollment_policy": "open"}));
        let ada = app.user("ada");
        let mine = ada.post(&format!("/v1/courses/{open}/enrollments"), json!({})).expect(201);
        assert_eq!((&mine["status"], &mine["source"], &mine["generation"], &mine["revision"]), (&json!("active"), &json!("self"), &json!(1), &json!(1)));
        assert_eq!(mine.header("location"), Some(format!("/v1/enrollments/{}", mine.id()).as_str()));
        let again = ada.post(&format!("/v1/courses/{open}/enrollments"), json!({})).problem(409, "conflict");
        assert_eq!(again["enrollment_id"], mine["id"], "a second live enrollment there is not");

        let coded = course(app, json!({"enrollment_policy": "access_code", "access_code": "sesame"}));
        for body in [json!({}), json!({"access_code": "wrong"})] {
            ada.post(&format!("/v1/courses/{coded}/enrollments"), body).problem(403, "access_code_wrong");
        }
        ada.post(&format!("/v1/courses/{coded}/enrollments"), json!({"access_code": "sesame"})).expect(201);
        assert!(ada.get(&format!("/v1/courses/{coded}")).expect(200).json.get("access_code").is_none(), "learners do not see the code");

        let asked = course(app, json!({"enrollment_policy": "approval"}));
        let pending = ada.post(&format!("/v1/courses/{asked}/enrollments"), json!({})).expect(201);
        assert_eq!(pending["status"], "pending");
        ada.event(&pending.id(), json!({"type": "opened", "module": "v"})).problem(409, "wrong_state");
        ada.post(&format!("/v1/enrollments/{}/approve", pending.id()), json!({})).problem(403, "forbidden");
        let approved = app.admin().post(&format!("/v1/enrollments/{}/approve", pending.id()), json!({})).expect(200);
        assert_eq!(approved["status"], "active");
        let bob = app.user("bob");
        let refused = bob.post(&format!("/v1/courses/{asked}/enrollments"), json!({})).expect(201).id();
        assert_eq!(app.admin().post(&format!("/v1/enrollments/{refused}/reject"), json!({})).expect(200)["status"], "withdrawn");

        let assigned = course(app, json!({"enrollment_policy": "assigned"}));
        ada.post(&format!("/v1/courses/{assigned}/enrollments"), json!({})).problem(403, "enrollment_closed");
        let by_admin = app.admin().post(&format!("/v1/courses/{assigned}/enrollments"), json!({"user_id": ada.id()})).expect(201);
        assert_eq!(by_admin["source"], "assigned");
    }

    fn managers_assign_those_below_them_and_nobody_else(app) {
        let assigned = course(app, json!({"enrollment_policy": "assigned"}));
        let boss = app.user("boss");
        let report = app.user_with("report", json!({"manager_id": boss.id()}));
        let below = app.user_with("below", json!({"manager_id": report.id()}));
        let other = app.user("other");
        let enroll = |user: &str| boss.post(&format!("/v1/courses/{assigned}/enrollments"), json!({"user_id": user}));
        enroll(below.id()).expect(201);
        enroll(other.id()).problem(403, "forbidden");
        assert_eq!(boss.all("/v1/enrollments").len(), 1);
    }

    fn nobody_else_sees_an_enrollment(app) {
        let id = course(app, json!({}));
        let (ada, eve) = (app.user("ada"), app.user("eve"));
        let enrollment = ada.enroll(&id);
        for path in ["", "/path", "/next", "/modules/v", "/modules/v/access"] {
            eve.get(&format!("/v1/enrollments/{enrollment}{path}")).problem(404, "not_found");
        }
        eve.open(&enrollment, "v").problem(404, "not_found");
        eve.post(&format!("/v1/enrollments/{enrollment}/withdraw"), json!({})).problem(404, "not_found");
        assert!(eve.all("/v1/enrollments").is_empty());
    }

    /// Exactly as many get a seat as there are, and the rest stand in line in the order in which they came.
    fn a_thousand_race_for_ten_seats(app) {
        let id = course(app, json!({"seats": 10}));
        let racers: Vec<_> = crate::support::factory::learners(app, 1000);
        let turn = AtomicUsize::new(0);
        let refused = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..32 {
                scope.spawn(|| {
                    while let Some(racer) = racers.get(turn.fetch_add(1, Ordering::Relaxed)) {
                        let answer = racer.post(&format!("/v1/courses/{id}/enrollments"), json!({}));
                        if answer.status != 201 {
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(refused.load(Ordering::Relaxed), 0);
        let admin = app.admin();
        let all = |status: &str| admin.all(&format!("/v1/courses/{id}/enrollments?status={status}&limit=200"));
        assert_eq!((all("active").len(), all("waitlisted").len()), (10, 990));
        let mut places: Vec<i64> = all("waitlisted").iter().take(40).map(|e| {
            admin.get(&format!("/v1/enrollments/{}", e["id"].as_str().unwrap())).expect(200)["waitlist_position"].as_i64().unwrap()
        }).collect();
        let before = places.len();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), before, "no place in the line is given twice");

        let since = |rows: &[Value]| rows.iter().map(|e| e["created_at"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        let line = all("waitlisted");
        assert!(since(&line).is_sorted(), "ids and times are in the order of the line");
        assert!(since(&all("active")).into_iter().max() <= since(&line).into_iter().min(), "who came later waits");
        let seated = all("active")[0]["id"].as_str().unwrap().to_owned();
        admin.post(&format!("/v1/enrollments/{seated}/withdraw"), json!({})).expect(200);
        assert_eq!((all("active").len(), all("waitlisted").len()), (10, 989), "a freed seat goes to the first in line");
        assert_eq!(admin.get(&format!("/v1/enrollments/{}", line[0]["id"].as_str().unwrap())).expect(200)["status"], "active");
    }

    /// Who leaves the line while a seat is given to them has left all the same, and the seat goes on.
    fn leaving_the_line_and_being_seated_at_once(app) {
        let id = course(app, json!({"seats": 6}));
        let admin = app.admin();
        for _ in 0..6 {
            let enrollments: Vec<String> = crate::support::factory::learners(app, 24).iter().map(|p| p.enroll(&id)).collect();
            let (leaving, staying) = enrollments.split_at(12);
            std::thread::scope(|scope| {
                for enrollment in leaving {
                    scope.spawn(move || app.admin().post(&format!("/v1/enrollments/{enrollment}/withdraw"), json!({})).expect(200));
                }
            });
            for _ in 0..200 {
                app.work();
                if admin.all(&format!("/v1/courses/{id}/enrollments?status=active&limit=200")).len() == 6 {
                    break;
                }
            }
            let status = |e: &String| admin.get(&format!("/v1/enrollments/{e}")).expect(200)["status"].as_str().unwrap().to_owned();
            assert!(leaving.iter().all(|e| status(e) == "withdrawn"), "an acknowledged withdrawal stays");
            let now: Vec<String> = staying.iter().map(status).collect();
            assert_eq!(now.iter().filter(|s| *s == "active").count(), 6, "{now:?}");
            assert!(now[..6].iter().all(|s| s == "active"), "in the order of the line: {now:?}");
            staying.iter().for_each(|e| drop(admin.post(&format!("/v1/enrollments/{e}/withdraw"), json!({})).expect(200)));
        }
    }

    fn a_freed_seat_promotes_the_first_in_line(app) {
        let id = course(app, json!({"seats": 1}));
        let people: Vec<_> = (0..4).map(|n| app.user(&format!("p{n}"))).collect();
        let enrollments: Vec<String> = people.iter().map(|p| p.enroll(&id)).collect();
        let at = |n: usize| {
            let seen = people[n].get(&format!("/v1/enrollments/{}", enrollments[n])).expect(200);
            (seen["status"].as_str().unwrap().to_owned(), seen["waitlist_position"].as_i64())
        };
        assert_eq!((at(1), at(3)), (("waitlisted".into(), Some(1)), ("waitlisted".into(), Some(3))));
        people[1].post(&format!("/v1/enrollments/{}/withdraw", enrollments[1]), json!({})).expect(200);
        assert_eq!(at(2), ("waitlisted".into(), Some(1)));
        let done = people[0].watch(&enrollments[0], "v", 100.0).expect(200);
        assert_eq!(done["enrollment"]["status"], "completed");
        assert_eq!((at(2).0, at(3)), ("active".to_owned(), ("waitlisted".into(), Some(1))), "completing frees the seat in the same call");
        app.admin().patch(&format!("/v1/courses/{id}"), json!({"seats": 2})).expect(200);
        assert_eq!(at(3).0, "active", "more seats promote at once");
    }

    fn enrolling_again_begins_a_new_generation_and_leaves_the_old_alone(app) {
        let id = course(app, json!({}));
        let ada = app.user("ada");
        let first = ada.enroll(&id);
        ada.watch(&first, "v", 100.0).expect(200);
        let before = ada.get(&format!("/v1/enrollments/{first}")).expect(200);
        let second = ada.post(&format!("/v1/courses/{id}/enrollments"), json!({})).expect(201);
        assert_eq!((&second["generation"], &second["status"], &second["progress"]["percent"]), (&json!(2), &json!("active"), &json!(0.0)));
        ada.watch(&second.id(), "v", 100.0).expect(200);
        assert_eq!(ada.get(&format!("/v1/enrollments/{first}")).expect(200).json, before.json);
        assert_eq!(ada.all("/v1/certificates").len(), 2, "each generation has its certificate");
    }

    fn moving_to_a_newer_revision_carries_over_what_still_exists(app) {
        let id = app.course("linear_hurdles", &json!({"stages": [sequence("s", "linear", vec![article("a"), article("b"), quiz("q", "hurdle", json!({}))])]}));
        let ada = app.user("ada");
        let enrollment = ada.enroll(&id);
        ada.open(&enrollment, "a").expect(200);
        ada.open(&enrollment, "b").expect(200);
        let admin = app.admin();
        admin.put(&format!("/v1/courses/{id}/outline"), json!({"stages": [sequence("s", "linear", vec![article("a"), article("c"), quiz("q", "hurdle", json!({}))])]})).expect(200);
        assert_eq!(admin.post(&format!("/v1/courses/{id}/publish"), json!({"notes": "c for b"})).expect(201)["revision"], 2);
        assert_eq!(ada.states(&enrollment)["b"], "completed", "the ground never shifts unseen");

        let path = format!("/v1/enrollments/{enrollment}/upgrade");
        let would = ada.post(&path, json!({"dry_run": true})).expect(200);
        assert_eq!(ada.get(&format!("/v1/enrollments/{enrollment}")).expect(200)["revision"], 1);
        let moved = ada.post(&path, json!({})).expect(200);
        assert_eq!((&moved["carried"], &moved["dropped"][0]["key"], &moved["to_revision"]), (&json!(["a"]), &json!("b"), &json!(2)));
        assert_eq!((&would["carried"], &would["dropped"]), (&moved["carried"], &moved["dropped"]));
        assert_eq!(ada.states(&enrollment)["c"], "available");
        ada.post(&path, json!({})).problem(409, "wrong_state");
        assert_eq!(ada.post(&path, json!({"revision": 9})).faults(), ["/revision"]);
    }

    fn an_enrollment_ends_by_itself(app) {
        let id = course(app, json!({"seats": 1}));
        let (ada, bob) = (app.user("ada"), app.user("bob"));
        let until = app.state.clock.now() + chrono::TimeDelta::days(2);
        let enrollment = app.admin().post(&format!("/v1/courses/{id}/enrollments"), json!({"user_id": ada.id(), "expires_at": until})).expect(201).id();
        let waiting = bob.enroll(&id);
        app.advance(2 * 86_400 + 60);
        ada.open(&enrollment, "v").problem(409, "wrong_state");
        app.work();
        assert_eq!(ada.get(&format!("/v1/enrollments/{enrollment}")).expect(200)["status"], "expired");
        assert_eq!(bob.get(&format!("/v1/enrollments/{waiting}")).expect(200)["status"], "active");
    }

    fn what_changed_since_is_found_to_the_instant(app) {
        let course = course(app, json!({"enrollment_policy": "open"}));
        let learners: Vec<_> = ["ada", "bob", "eve"].map(|name| app.user(name)).into();
        let ids: Vec<String> = learners.iter().map(|learner| learner.enroll(&course)).collect();
        let since = |instant: &str| {
            let mut found = app.admin().all(&format!("/v1/enrollments?course_id={course}&updated_since={instant}"));
            found.iter_mut().map(|e| e["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let changed = |n: usize| {
            learners[n].watch(&ids[n], "v", 1.0).expect(200);
            app.admin().get(&format!("/v1/enrollments/{}", ids[n])).expect(200)["updated_at"].as_str().unwrap().to_owned()
        };
        // Within the hour of the enrolment, an hour later, and once more in that hour.
        app.advance(1);
        assert_eq!(since(&changed(0)), ids[..1]);
        app.advance(3_600);
        let second = changed(1);
        assert_eq!(since(&second), ids[1..2]);
        app.advance(1);
        let third = changed(2);
        assert_eq!((since(&third), since(&second)), (ids[2..].to_vec(), ids[1..].to_vec()));
        assert_eq!(since("2020-01-01T00:00:00Z").len(), 3);
    }

    fn a_draft_takes_no_learners_and_an_archived_course_no_new_ones(app) {
        let admin = app.admin();
        let draft = admin.post("/v1/courses", json!({"title": "Draft", "style": "linear_autoplay"})).expect(201).id();
        admin.post(&format!("/v1/courses/{draft}/enrollments"), json!({"user_id": app.user("ada").id()})).problem(409, "wrong_state");
        let id = app.course("random_access", &json!({"stages": [sequence("s", "any", vec![article("a"), quiz("end", "final", json!({}))])]}));
        let ada = app.user("ada");
        let enrollment = ada.enroll(&id);
        admin.post(&format!("/v1/courses/{id}/archive"), json!({})).expect(200);
        app.user("bob").post(&format!("/v1/courses/{id}/enrollments"), json!({})).problem(403, "enrollment_closed");
        assert_eq!(ada.attempt(&enrollment, "end", &right())["enrollment"]["status"], "completed", "those who are in go on");
    }

    fn seats_go_to_those_who_can_take_them(app) {
        let id = course(app, json!({"seats": 1}));
        let people: Vec<_> = ["ada", "bob", "cy", "dan"].map(|name| app.user(name)).into();
        let all: Vec<String> = people.iter().map(|who| who.enroll(&id)).collect();
        let status = |n: usize| app.admin().get(&format!("/v1/enrollments/{}", all[n])).expect(200)["status"].as_str().unwrap().to_owned();
        let state = |n: usize, state: &str| app.admin().patch(&format!("/v1/users/{}", people[n].id()), json!({"state": state})).expect(200);
        state(1, "suspended");
        state(2, "left");
        people[0].post(&format!("/v1/enrollments/{}/withdraw", all[0]), json!({})).expect(200);
        assert_eq!([1, 2, 3].map(status), ["waitlisted", "waitlisted", "active"]);
        app.admin().post(&format!("/v1/enrollments/{}/withdraw", all[3]), json!({})).expect(200);
        assert_eq!([1, 2].map(status), ["waitlisted", "waitlisted"]);
        state(2, "active");
        app.dispatch();
        assert_eq!([1, 2].map(status), ["waitlisted", "active"], "whoever is back takes the free seat");

        let asked = course(app, json!({"enrollment_policy": "approval"}));
        let eve = app.user("eve");
        let pending = eve.enroll(&asked);
        app.admin().patch(&format!("/v1/users/{}", eve.id()), json!({"state": "left"})).expect(200);
        app.admin().post(&format!("/v1/enrollments/{pending}/approve"), json!({})).problem(409, "wrong_state");
    }

    fn the_tag_of_who_waits_moves_with_their_place(app) {
        let id = course(app, json!({"seats": 1}));
        let people: Vec<_> = ["ada", "bob", "cy"].map(|name| app.user(name)).into();
        let all: Vec<String> = people.iter().map(|who| who.enroll(&id)).collect();
        let path = format!("/v1/enrollments/{}", all[2]);
        let seen = people[2].get(&path).expect(200);
        let tag = seen.header("etag").unwrap().to_owned();
        assert_eq!(seen["waitlist_position"], 2);
        assert_eq!(people[2].call("GET", &path, None, &[("if-none-match", &tag)]).status, 304);
        people[1].post(&format!("/v1/enrollments/{}/withdraw", all[1]), json!({})).expect(200);
        let moved = people[2].call("GET", &path, None, &[("if-none-match", &tag)]).expect(200);
        assert_eq!(moved["waitlist_position"], 1);
        let newer = moved.header("etag").unwrap().to_owned();
        let withdraw = |tag: &str| people[2].call("POST", &format!("{path}/withdraw"), Some(json!({})), &[("if-match", tag)]);
        withdraw(&tag).problem(412, "precondition_failed");
        withdraw(&newer).expect(200);
    }
}
