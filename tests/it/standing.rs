//! What learners are told of where they stand: whatever the order of arrival, the clock, the revision and the past.

use chrono::{SecondsFormat, TimeDelta};
use uuid::Uuid;

use crate::support::factory::{article, quiz, right, sequence, video, wrong};
use crate::support::{Client, TestApp, Value, json};

fn linear(modules: Vec<Value>) -> Value {
    json!({"stages": [sequence("s", "linear", modules)]})
}

fn publish(app: &TestApp, course: &str, outline: Value) {
    app.admin().put(&format!("/v1/courses/{course}/outline"), outline).ok();
    app.admin().post(&format!("/v1/courses/{course}/publish"), json!({})).expect(201);
}

fn instant(app: &TestApp) -> String {
    app.state.clock.now().to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The instant, and a second gone by since.
fn moment(app: &TestApp) -> String {
    let now = instant(app);
    app.advance(1);
    now
}

fn path(who: &Client, enrollment: &str, as_of: &str) -> Value {
    who.get(&format!("/v1/enrollments/{enrollment}/path?as_of={as_of}")).expect(200).json
}

fn states(path: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    crate::support::factory::modules(path).iter().map(|m| (text(&m["key"]), text(&m["state"]))).collect()
}

both! {
    fn events_of_one_instant_come_to_the_same_in_any_order_of_arrival(app) {
        let course = app.course("linear_autoplay", &linear(vec![article("a"), video("v")]));
        let ada = app.user("ada");
        let (once, apart, back) = (ada.enroll(&course), app.user("bob"), app.user("cy"));
        let at = instant(app);
        app.advance(60);
        // The article's id lies amid those of the video, so some of them wait within the batch.
        let open = json!({"id": Uuid::from_u128(650), "type": "opened", "module": "a", "at": at});
        let watched: Vec<Value> = [3_u32, 9, 1, 7, 5, 2, 8, 10, 4, 6].iter().enumerate().map(|(n, part)| json!({
            "id": Uuid::from_u128(100 * (n as u128 + 1)), "type": "watched", "module": "v", "at": at,
            "from_seconds": part * 10 - 10, "to_seconds": part * 10,
        })).collect();
        let watched_but: Vec<Value> = watched.iter().filter(|event| event["to_seconds"] != 100).cloned().collect();
        let send = |who: &Client, e: &str, events: Vec<Value>| who.post(&format!("/v1/enrollments/{e}/events"), json!({ "events": events })).expect(200);
        let resume = |who: &Client, e: &str| who.get(&format!("/v1/enrollments/{e}/modules/v")).expect(200)["resume_at_seconds"].as_f64();
        send(&ada, &once, watched_but.iter().cloned().chain([open.clone()]).collect());
        let second = apart.enroll(&course);
        let bob = |events| send(&apart, &second, events);
        app.advance(1);
        bob(vec![json!({"id": Uuid::from_u128(650), "type": "opened", "module": "a", "at": at})]);
        bob(watched_but.clone());
        let third = back.enroll(&course);
        send(&back, &third, vec![open]);
        watched_but.iter().rev().for_each(|event| drop(send(&back, &third, vec![event.clone()])));
        // The last by id.
        let last = Some(60.0);
        assert_eq!((resume(&ada, &once), resume(&apart, &second), resume(&back, &third)), (last, last, last));
    }

    fn a_slow_clock_keeps_the_order_of_what_was_done(app) {
        let course = app.course("linear_autoplay", &linear(vec![video("v")]));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let slow = app.state.clock.now() - TimeDelta::minutes(5);
        for part in 0..8_u32 {
            let at = (slow + TimeDelta::seconds((part * 10).into())).to_rfc3339_opts(SecondsFormat::Micros, true);
            // Ids that would say the contrary.
            let id = Uuid::from_u128(1000 - u128::from(part));
            ada.post(&format!("/v1/enrollments/{e}/events"), json!({"id": id, "type": "watched", "module": "v", "at": at, "from_seconds": part * 10, "to_seconds": part * 10 + 10})).expect(200);
        }
        let module = ada.get(&format!("/v1/enrollments/{e}/modules/v")).expect(200);
        assert_eq!(module["resume_at_seconds"], 80.0);
        let enrollment = ada.get(&format!("/v1/enrollments/{e}")).expect(200);
        assert_eq!(enrollment["started_at"], enrollment["enrolled_at"], "nothing counts from before the enrollment");
        // As of now is as it is.
        assert_eq!(states(&path(&ada, &e, &instant(app))), states(&ada.get(&format!("/v1/enrollments/{e}/path")).expect(200).json));
    }

    fn an_enrollment_begins_with_the_module_begun_first(app) {
        let course = app.course("random_access", &json!({"stages": [sequence("s", "any", vec![article("a"), article("b"), quiz("f", "final", json!({}))])]}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let start = app.state.clock.now();
        app.advance(600);
        let after = |seconds: i64| (start + TimeDelta::seconds(seconds)).to_rfc3339_opts(SecondsFormat::Micros, true);
        let open = |n: u128, module: &str, seconds: i64| ada.post(&format!("/v1/enrollments/{e}/events"), json!({"id": Uuid::from_u128(n), "type": "opened", "module": module, "at": after(seconds)})).expect(200);
        let started = |of: &str| ada.get(&format!("/v1/enrollments/{e}{of}")).expect(200)["started_at"].clone();
        open(1, "a", 200);
        assert_eq!(started(""), started("/modules/a"));
        open(2, "b", 100);
        assert_eq!(started(""), started("/modules/b"));
        open(3, "a", 50);
        assert_eq!(started(""), started("/modules/a"));
    }

    fn a_deleted_attempt_was_never_begun(app) {
        let course = app.course("linear_hurdles", &linear(vec![quiz("q", "hurdle", json!({"max_attempts": 0})), article("a")]));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let done = ada.attempt(&e, "q", &wrong());
        let second = ada.attempt(&e, "q", &wrong());
        app.admin().delete(&format!("/v1/attempts/{}", done.id())).expect(204);
        assert_eq!(ada.states(&e)["q"], "in_progress");
        app.admin().delete(&format!("/v1/attempts/{}", second.id())).expect(204);
        assert_eq!(ada.states(&e)["q"], "available");
        let module = ada.get(&format!("/v1/enrollments/{e}/modules/q")).expect(200);
        assert_eq!((&module["started_at"], &module["attempts"]), (&json!(null), &json!(0)));
        assert_eq!(ada.get(&format!("/v1/enrollments/{e}")).expect(200)["started_at"], json!(null));
    }

    fn a_hurdle_is_passed_by_the_grade_that_counts(app) {
        for (method, passed, score) in [("highest", true, 100.0), ("latest", true, 100.0), ("first", false, 0.0), ("average", false, 50.0)] {
            let hurdle = quiz("q", "hurdle", json!({"max_attempts": 0, "pass_percent": 60, "grading_method": method}));
            let course = app.course("linear_hurdles", &linear(vec![hurdle, article("a")]));
            let ada = app.user("ada");
            let e = ada.enroll(&course);
            ada.attempt(&e, "q", &wrong());
            if method == "first" {
                // No later attempt could count, so there is none.
                assert_eq!(ada.states(&e)["q"], "failed");
                let path = format!("/v1/enrollments/{e}/modules/q/attempts");
                let refused = ada.post(&path, json!({})).problem(409, "wrong_state");
                assert_eq!(refused["actions"][0]["do"], "ask_instructor");
            } else {
                ada.attempt(&e, "q", &right());
            }
            let module = ada.get(&format!("/v1/enrollments/{e}/modules/q")).expect(200);
            assert_eq!((&module["score_percent"], module["state"] == "completed"), (&json!(score), passed), "{method}: {}", module.text());
            assert_eq!(ada.states(&e)["a"] == "available", passed, "{method}");
        }
    }

    fn a_first_attempt_that_decides_is_warned_of_and_an_exception_leads_past_it(app) {
        let hurdle = quiz("q", "hurdle", json!({"grading_method": "first"}));
        let course = app.course("linear_hurdles", &linear(vec![hurdle, article("a")]));
        let lint = app.admin().post(&format!("/v1/courses/{course}/lint"), json!({})).expect(200);
        assert!(lint["warnings"].as_array().unwrap().iter().any(|w| w["code"] == "first_attempt_decides"), "{}", lint.text());
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.attempt(&e, "q", &wrong());
        let overrides = format!("/v1/enrollments/{e}/modules/q/overrides");
        app.admin().post(&overrides, json!({"kind": "extra_attempts", "attempts": 1})).expect(200);
        assert_eq!(ada.states(&e)["q"], "in_progress");
        ada.attempt(&e, "q", &right());
        assert_eq!(ada.states(&e)["q"], "failed", "the first still decides");
        app.admin().post(&overrides, json!({"kind": "waive"})).expect(200);
        assert_eq!((ada.states(&e)["q"].as_str(), ada.states(&e)["a"].as_str()), ("waived", "available"));
        // Where passing is not needed, later attempts are practice.
        let core = quiz("q", "core", json!({"grading_method": "first", "pass_percent": 60}));
        let course = app.course("linear_autoplay", &linear(vec![core, article("a")]));
        let e = ada.enroll(&course);
        ada.attempt(&e, "q", &wrong());
        ada.attempt(&e, "q", &right());
    }

    fn a_dry_run_tells_what_the_upgrade_does(app) {
        let course = app.course("linear_autoplay", &linear(vec![article("a"), article("b")]));
        app.admin().patch(&format!("/v1/courses/{course}"), json!({"issues_certificate": true})).expect(200);
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.open(&e, "a").expect(200);
        publish(app, &course, linear(vec![article("a")]));
        let upgrade = |dry: bool| ada.post(&format!("/v1/enrollments/{e}/upgrade"), json!({"dry_run": dry})).expect(200);
        let (told, done) = (upgrade(true), upgrade(false));
        assert_eq!(told["enrollment"], done["enrollment"]);
        assert_eq!((&told["enrollment"]["status"], &told["next"]), (&json!("completed"), &done["next"]));
        assert!(told["certificate_id"].is_null() && done["certificate_id"].is_string());
    }

    fn who_has_completed_a_course_stays_at_100_when_it_grows(app) {
        let extra = json!({"key": "x", "title": "x", "kind": "article", "content": {}, "unmet": "hide", "when": {"attribute": {"name": "site", "op": "equals", "value": "Lyon"}}});
        let course = app.course("linear_autoplay", &linear(vec![article("a"), extra.clone()]));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.open(&e, "a").expect(200);
        let whole = |open: &str| {
            let enrollment = ada.get(&format!("/v1/enrollments/{e}")).expect(200);
            let path = ada.get(&format!("/v1/enrollments/{e}/path")).expect(200);
            assert_eq!(enrollment["status"], "completed");
            assert_eq!((&enrollment["progress"]["percent"], &path["progress"]), (&json!(100.0), &enrollment["progress"]));
            assert_eq!((&path["next"], &ada.get(&format!("/v1/enrollments/{e}/next")).expect(200)["items"]), (&json!([]), &json!([])));
            assert_eq!(ada.states(&e)[open], "available");
        };
        app.admin().patch(&format!("/v1/users/{}", ada.id()), json!({"attributes": {"site": "Lyon"}})).expect(200);
        whole("x");
        publish(app, &course, linear(vec![article("a"), article("b"), extra]));
        let moved = ada.post(&format!("/v1/enrollments/{e}/upgrade"), json!({})).expect(200);
        assert_eq!((&moved["enrollment"]["progress"]["percent"], &moved["next"]), (&json!(100.0), &json!([])));
        whole("b");
        // What came to it since can be taken all the same.
        ada.open(&e, "b").expect(200);
        assert_eq!(ada.states(&e)["b"], "completed");
    }

    fn the_past_has_its_own_status_and_revision(app) {
        let course = app.course_with(json!({"title": "By approval", "style": "linear_autoplay", "enrollment_policy": "approval"}), &linear(vec![article("a")]));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let pending = moment(app);
        app.admin().post(&format!("/v1/enrollments/{e}/approve"), json!({})).expect(200);
        let approved = moment(app);
        publish(app, &course, linear(vec![article("a"), article("b")]));
        ada.post(&format!("/v1/enrollments/{e}/upgrade"), json!({})).expect(200);
        let upgraded = moment(app);
        ada.open(&e, "a").expect(200);
        ada.open(&e, "b").expect(200);
        let completed = moment(app);
        for (when, status, revision, modules) in [
            (&pending, "pending", 1, vec![("a", "locked")]),
            (&approved, "active", 1, vec![("a", "available")]),
            (&upgraded, "active", 2, vec![("a", "available"), ("b", "locked")]),
            (&completed, "completed", 2, vec![("a", "completed"), ("b", "completed")]),
        ] {
            let then = path(&ada, &e, when);
            assert_eq!((&then["status"], &then["revision"]), (&json!(status), &json!(revision)), "{status}");
            let wanted: Vec<(String, String)> = modules.iter().map(|(key, state)| (key.to_string(), state.to_string())).collect();
            assert_eq!(states(&then), wanted, "{status}");
        }
    }

    fn the_past_has_its_own_courses_and_certificates(app) {
        let first = app.course("linear_autoplay", &linear(vec![article("a")]));
        app.admin().patch(&format!("/v1/courses/{first}"), json!({"issues_certificate": true})).expect(200);
        let asks = |key: &str, when: Value| json!({"key": key, "title": key, "kind": "article", "content": {}, "when": when});
        let course = app.course("random_access", &json!({"stages": [sequence("s", "any", vec![
            asks("done", json!({"course": {"id": first, "is": "completed"}})),
            asks("holds", json!({"certificate": {"course": first}})),
            quiz("f", "final", json!({})),
        ])]}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let before = moment(app);
        let certificate = {
            let other = ada.enroll(&first);
            ada.open(&other, "a").expect(200)["certificate_id"].as_str().unwrap().to_owned()
        };
        let held = moment(app);
        app.admin().post(&format!("/v1/certificates/{certificate}/revoke"), json!({"reason": "Copied answers."})).expect(200);
        let revoked = moment(app);
        for (when, done, holds) in [(&before, "locked", "locked"), (&held, "available", "available"), (&revoked, "available", "locked")] {
            let then = states(&path(&ada, &e, when));
            assert_eq!((then[0].1.as_str(), then[1].1.as_str()), (done, holds));
        }
    }

    fn headers_and_queries_are_taken_at_their_word(app) {
        let course = app.course("linear_autoplay", &linear(vec![article("a")]));
        let tag = app.admin().get(&format!("/v1/courses/{course}")).expect(200).header("etag").unwrap().to_owned();
        let rename = |tag: &str| app.admin().call("PATCH", &format!("/v1/courses/{course}"), Some(json!({"title": "New"})), &[("if-match", tag)]);
        rename(&format!("W/{tag}")).problem(412, "precondition_failed");
        rename(&tag).expect(200);
        app.admin().call("POST", "/v1/courses", Some(json!({"title": "x", "style": "random_access"})), &[("idempotency-key", "two words")]).problem(400, "malformed_request");
        assert_eq!(app.admin().get("/v1/courses?title=%ff").faults(), ["?title"]);
        let wrong = app.admin().post("/v1/courses", json!({"title": "x", "style": "linear_autoplay", "delivery_mode": "online", "enrollment_policy": "no"}));
        assert_eq!(wrong.faults(), ["/delivery_mode", "/enrollment_policy"]);
    }

    fn the_past_knows_attempts_under_way_and_branches_done_with(app) {
        let course = app.course("linear_autoplay", &linear(vec![quiz("q", "core", json!({"max_attempts": 2}))]));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let left = |path: &Value| crate::support::factory::modules(path)[0]["attempts_left"].as_i64();
        let attempt = ada.post(&format!("/v1/enrollments/{e}/modules/q/attempts"), json!({})).expect(201).id();
        let running = moment(app);
        assert_eq!(left(&ada.get(&format!("/v1/enrollments/{e}/path")).expect(200).json), Some(1));
        assert_eq!(left(&path(&ada, &e, &running)), Some(1));
        ada.post(&format!("/v1/attempts/{attempt}/submit"), json!({})).expect(200);
        let submitted = moment(app);
        assert_eq!((left(&path(&ada, &e, &running)), left(&path(&ada, &e, &submitted))), (Some(1), Some(1)));

        let branch = |key: &str| json!({"key": key, "title": key, "modules": [article(&format!("{key}1")), article(&format!("{key}2"))]});
        let outline = json!({"stages": [{"kind": "choice", "key": "c", "choose": {"at_least": 2}, "exclusive": true, "branches": [branch("a"), branch("b"), branch("d")]}]});
        let course = app.course("dynamic_branching", &outline);
        let e = ada.enroll(&course);
        let choose = |key: &str| ada.post(&format!("/v1/enrollments/{e}/choices"), json!({"stage": "c", "branch": key})).expect(200);
        choose("a");
        for module in ["a1", "a2"] {
            app.admin().post(&format!("/v1/enrollments/{e}/modules/{module}/overrides"), json!({"kind": "waive"})).expect(200);
        }
        choose("b");
        let chosen = moment(app);
        let live = ada.get(&format!("/v1/enrollments/{e}/path")).expect(200)["progress"].clone();
        assert_eq!((&live["percent"], &path(&ada, &e, &chosen)["progress"]), (&json!(50.0), &live));
    }

    fn a_locked_stage_says_what_opens_the_one_before_it(app) {
        let course = app.course("linear_hurdles", &json!({"stages": [
            sequence("one", "linear", vec![quiz("q", "hurdle", json!({"max_attempts": 1}))]), sequence("two", "linear", vec![article("b")])]}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.attempt(&e, "q", &wrong());
        let access = ada.get(&format!("/v1/enrollments/{e}/modules/b/access")).expect(200);
        assert_eq!(access["actions"], json!([{"do": "ask_instructor", "module": "q"}]));
        let mut later = article("a");
        later["release"] = json!({"since": "enrolled", "after_days": 3});
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("one", "linear", vec![later]), sequence("two", "linear", vec![article("b")])]}));
        let e = ada.enroll(&course);
        let access = ada.get(&format!("/v1/enrollments/{e}/modules/b/access")).expect(200);
        assert_eq!((&access["actions"][0]["do"], &access["actions"][0]["until"], &access["opens_at"]), (&json!("wait"), &ada.get(&format!("/v1/enrollments/{e}/modules/a/access")).expect(200)["opens_at"], &Value::Null));
    }
}
