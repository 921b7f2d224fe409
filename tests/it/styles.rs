//! The five styles, as a learner meets each of them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a scenario is a test, and fails by panicking")]

use crate::support::factory::{article, quiz, right, sequence, video, wrong};
use crate::support::{Answer, Value, json};

fn outline(stages: Vec<Value>) -> Value {
    json!({ "stages": stages })
}

fn branch(key: &str, modules: Vec<Value>) -> Value {
    json!({"key": key, "title": key, "modules": modules})
}

/// Keys, or stages, of the next steps with their reasons.
fn next(answer: &Answer) -> Vec<(String, String)> {
    let steps = answer["next"].as_array().or_else(|| answer["items"].as_array()).unwrap();
    let name = |step: &Value| step["module"].as_str().or_else(|| step["stage"].as_str()).unwrap().to_owned();
    steps.iter().map(|step| (name(step), step["reason"].as_str().unwrap().to_owned())).collect()
}

fn step(key: &str, reason: &str) -> Vec<(String, String)> {
    vec![(key.to_owned(), reason.to_owned())]
}

both! {
    fn linear_autoplay_plays_one_module_after_the_other(app) {
        let course = app.course("linear_autoplay", &outline(vec![sequence("s", "linear", vec![video("one"), video("two")])]));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        assert_eq!(ada.states(&e)["two"], "locked");
        // Paused at 42 seconds: there the player resumes.
        ada.watch(&e, "one", 42.0).expect(200);
        let module = ada.get(&format!("/v1/enrollments/{e}/modules/one")).expect(200);
        assert_eq!((module["state"].as_str(), module["resume_at_seconds"].as_f64()), (Some("in_progress"), Some(42.0)));
        let end = ada.event(&e, json!({"type": "watched", "module": "one", "from_seconds": 42, "to_seconds": 100})).expect(200);
        assert_eq!((&end["next"][0]["module"], &end["next"][0]["autoplay"]), (&json!("two"), &json!(true)));
        // Watching again is allowed, and takes nothing back.
        ada.watch(&e, "one", 10.0).expect(200);
        assert_eq!(ada.states(&e)["one"], "completed");
        let done = ada.watch(&e, "two", 100.0).expect(200);
        assert_eq!(done["enrollment"]["status"], "completed");
        assert!(done["certificate_id"].is_string(), "the answer that completes the course names its certificate");
    }

    fn linear_hurdles_send_back_who_fails(app) {
        let check = quiz("check", "hurdle", json!({"pass_percent": 50, "max_attempts": 2, "remediation": ["read"]}));
        let course = app.course("linear_hurdles", &outline(vec![sequence("s", "linear", vec![article("read"), check, article("after")])]));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.open(&e, "read").expect(200);
        let failed = ada.attempt(&e, "check", &wrong());
        assert_eq!((&failed["passed"], next(&failed)), (&json!(false), step("read", "remedial")));
        assert_eq!(ada.states(&e)["after"], "locked");
        let refused = ada.post(&format!("/v1/enrollments/{e}/modules/check/attempts"), json!({})).problem(403, "module_locked");
        assert_eq!(refused["actions"][0]["module"], "read");
        app.advance(1);
        let again = ada.open(&e, "read").expect(200);
        assert_eq!(next(&again), step("check", "hurdle"));
        ada.attempt(&e, "check", &wrong());
        assert_eq!(ada.states(&e)["check"], "failed");
        // Without attempts left only staff help.
        let grant = json!({"kind": "extra_attempts", "attempts": 1});
        ada.post(&format!("/v1/enrollments/{e}/modules/check/overrides"), grant.clone()).problem(403, "forbidden");
        app.admin().post(&format!("/v1/enrollments/{e}/modules/check/overrides"), grant).ok();
        app.advance(1);
        ada.open(&e, "read").expect(200);
        ada.attempt(&e, "check", &right());
        let done = ada.open(&e, "after").expect(200);
        assert_eq!(done["enrollment"]["status"], "completed");
    }

    fn a_cool_down_can_be_waited_out(app) {
        let check = quiz("check", "hurdle", json!({"pass_percent": 50, "cooldown_seconds": 3600}));
        let course = app.course("linear_hurdles", &outline(vec![sequence("s", "linear", vec![check])]));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.attempt(&e, "check", &wrong());
        let access = ada.get(&format!("/v1/enrollments/{e}/modules/check/access")).expect(200);
        assert_eq!(access["state"], "locked");
        assert!(access["opens_at"].is_string(), "time alone opens it");
        app.advance(3601);
        assert_eq!(ada.attempt(&e, "check", &right())["enrollment"]["status"], "completed");
    }

    fn random_access_ends_with_the_final(app) {
        let stages = vec![sequence("s", "any", vec![article("a"), quiz("small", "core", json!({})), quiz("last", "final", json!({}))])];
        let course = app.course("random_access", &outline(stages.clone()));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        assert!(ada.states(&e).values().all(|state| state == "available"));
        ada.attempt(&e, "small", &wrong());
        let done = ada.attempt(&e, "last", &right());
        assert_eq!((&done["enrollment"]["status"], &done["enrollment"]["progress"]["percent"]), (&json!("completed"), &json!(100.0)));
        // Or, if the author says so, all core modules must be done too.
        let strict = app.course("random_access", &json!({"stages": stages, "complete_when": "final_and_core"}));
        let e = ada.enroll(&strict);
        assert_eq!(ada.attempt(&e, "last", &right())["enrollment"]["status"], "active");
        ada.open(&e, "a").expect(200);
        assert_eq!(ada.attempt(&e, "small", &right())["enrollment"]["status"], "completed");
    }

    fn static_branching_takes_every_branch_one_at_a_time(app) {
        let choice = json!({"kind": "choice", "key": "tracks", "choose": "all", "exclusive": true, "branches": [
            branch("x", vec![article("x1"), quiz("xq", "hurdle", json!({}))]), branch("y", vec![article("y1"), quiz("yq", "hurdle", json!({}))])]});
        let course = app.course("static_branching", &outline(vec![sequence("start", "linear", vec![article("a")]), choice]));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let choose = |branch: &str| ada.post(&format!("/v1/enrollments/{e}/choices"), json!({"stage": "tracks", "branch": branch}));
        assert!(choose("x").status >= 400, "the opening comes first");
        let opened = ada.open(&e, "a").expect(200);
        assert_eq!(next(&opened), step("tracks", "choose_branch"));
        choose("x").ok();
        // Nothing was begun: the learner may think again.
        choose("y").ok();
        assert_eq!((ada.states(&e)["x1"].as_str(), ada.states(&e)["y1"].as_str()), ("locked", "available"));
        ada.open(&e, "y1").expect(200);
        assert!(choose("x").status >= 400, "not before the quiz of the one begun is passed");
        ada.open(&e, "x1").problem(403, "module_locked");
        let passed = ada.attempt(&e, "yq", &right());
        assert_eq!(next(&passed), step("tracks", "choose_branch"));
        choose("x").ok();
        ada.open(&e, "x1").expect(200);
        assert_eq!(ada.attempt(&e, "xq", &right())["enrollment"]["status"], "completed");
    }

    fn dynamic_branching_ends_with_the_chosen_pathway(app) {
        let choice = json!({"kind": "choice", "key": "case", "choose": "one", "branches": [branch("x", vec![article("x1")]), branch("y", vec![article("y1")])]});
        let course = app.course("dynamic_branching", &outline(vec![choice]));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.post(&format!("/v1/enrollments/{e}/choices"), json!({"stage": "case", "branch": "y"})).ok();
        assert_eq!(ada.states(&e)["x1"], "not_chosen");
        assert_eq!(ada.open(&e, "y1").expect(200)["enrollment"]["status"], "completed");
    }

    fn results_route_and_show_what_helps(app) {
        let mut help = article("help");
        help["role"] = json!("remedial");
        help["unmet"] = json!("hide");
        help["when"] = json!({"score": {"module": "entry", "below": 50}});
        let mut high = branch("high", vec![article("h1")]);
        high["when"] = json!({"score": {"module": "entry", "at_least": 50}});
        let choice = json!({"kind": "choice", "key": "route", "choose": "one", "route": "auto", "branches": [high, branch("low", vec![article("l1")])]});
        let entry = quiz("entry", "core", json!({"pass_percent": 50}));
        let mut entry_done = entry;
        entry_done["completion"] = json!({"submitted": true});
        let course = app.course("dynamic_branching", &outline(vec![sequence("s", "linear", vec![entry_done, help]), choice]));
        let (ada, bob) = (app.user("ada"), app.user("bob"));
        let (a, b) = (ada.enroll(&course), bob.enroll(&course));
        ada.attempt(&a, "entry", &right());
        let states = ada.states(&a);
        assert_eq!((states["h1"].as_str(), states["l1"].as_str()), ("available", "not_chosen"));
        assert_eq!(states.get("help").map_or("hidden", String::as_str), "hidden");
        ada.get(&format!("/v1/enrollments/{a}/modules/help")).problem(403, "module_hidden");
        let weak = bob.attempt(&b, "entry", &wrong());
        assert_eq!(next(&weak), step("help", "remedial"));
        bob.open(&b, "help").expect(200);
        assert_eq!(bob.open(&b, "l1").expect(200)["enrollment"]["status"], "completed");
    }

    fn hybrid_modules_open_week_by_week_from_the_cohorts_start(app) {
        let mut second = article("second");
        second["release"] = json!({"since": "cohort_start", "after_days": 7});
        let stages = outline(vec![sequence("s", "linear", vec![article("first"), second])]);
        for mode in ["in_person", "remote_live", "self_paced", "hybrid"] {
            app.course_with(json!({"title": mode, "style": "linear_autoplay", "delivery_mode": mode}), &stages);
        }
        let course = app.course_with(json!({"title": "Weekly", "style": "linear_autoplay", "delivery_mode": "hybrid"}), &stages);
        let ada = app.user("ada");
        let start = app.state.clock.now();
        let body = json!({"user_id": ada.id(), "cohort_start_at": start});
        let e = app.admin().post(&format!("/v1/courses/{course}/enrollments"), body).expect(201).id();
        ada.open(&e, "first").expect(200);
        assert_eq!(ada.states(&e)["second"], "locked");
        app.advance(7 * 86_400 + 1);
        assert_eq!(ada.open(&e, "second").expect(200)["enrollment"]["status"], "completed");
    }
}
