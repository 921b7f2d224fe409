//! Every style behaves as its row in the table says, seen from outside. The rules themselves have their tables and properties in
//! `domain::path`.

use crate::support::factory::{article, modules, quiz, right, sequence, video, wrong};
use crate::support::{Client, Value, json};

fn next(learner: &Client, enrollment: &str) -> Vec<Value> {
    learner.get(&format!("/v1/enrollments/{enrollment}/next")).expect(200)["items"].as_array().unwrap().clone()
}

fn state(learner: &Client, enrollment: &str, key: &str) -> String {
    learner.states(enrollment)[key].clone()
}

fn branch(key: &str, modules: Vec<Value>) -> Value {
    json!({"key": key, "title": key, "modules": modules})
}

both! {
    fn linear_autoplay_plays_one_after_the_other(app) {
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![video("a"), video("b")])]}));
        let ada = app.user("ada");
        let enrollment = ada.enroll(&course);
        assert_eq!((state(&ada, &enrollment, "a"), state(&ada, &enrollment, "b")), ("available".into(), "locked".into()));

        ada.watch(&enrollment, "a", 42.5).expect(200);
        let path = ada.get(&format!("/v1/enrollments/{enrollment}/path")).expect(200);
        assert_eq!(modules(&path.json)[0]["resume_at_seconds"], 42.5, "resume at the exact second");
        ada.event(&enrollment, json!({"type": "watched", "module": "a", "from_seconds": 99, "to_seconds": 100})).expect(200);
        assert_eq!(state(&ada, &enrollment, "a"), "in_progress", "skipping ahead earns nothing");

        let done = ada.watch(&enrollment, "a", 95.0).expect(200);
        assert_eq!(done["next"][0], json!({"module": "b", "reason": "autoplay", "autoplay": true}));
        ada.watch(&enrollment, "a", 5.0).expect(200);
        assert_eq!(state(&ada, &enrollment, "a"), "completed", "watching again takes nothing back");
        let done = ada.watch(&enrollment, "b", 100.0).expect(200);
        assert_eq!((&done["enrollment"]["status"], &done["enrollment"]["progress"]["percent"]), (&json!("completed"), &json!(100.0)));
        assert!(done["certificate_id"].is_string());
    }

    fn linear_hurdles_demand_action_after_a_failure(app) {
        let hurdle = quiz("check", "hurdle", json!({"pass_percent": 70, "max_attempts": 3, "remediation": ["a"], "cooldown_seconds": 3600}));
        let course = app.course("linear_hurdles", &json!({"stages": [sequence("s", "linear", vec![article("a"), hurdle, article("b")])]}));
        let ada = app.user("ada");
        let enrollment = ada.enroll(&course);
        ada.open(&enrollment, "a").expect(200);
        let failed = ada.attempt(&enrollment, "check", &wrong());
        assert_eq!((&failed["passed"], &failed["score_percent"]), (&json!(false), &json!(0.0)));
        assert_eq!(next(&ada, &enrollment), [json!({"module": "a", "reason": "remedial", "autoplay": false})]);

        let refused = ada.post(&format!("/v1/enrollments/{enrollment}/modules/check/attempts"), json!({})).problem(403, "module_locked");
        assert!(refused["reasons"].is_array() && refused["actions"].is_array() && refused["opens_at"].is_string());
        let behind = ada.get(&format!("/v1/enrollments/{enrollment}/modules/b")).problem(403, "module_locked");
        assert_eq!(behind["reasons"][0]["actual"], "failed_hurdle_review");

        ada.open(&enrollment, "a").expect(200);
        ada.attempt(&enrollment, "check", &wrong());
        app.advance(3600);
        let ada = app.acting_as(ada.id());
        let passed = ada.attempt(&enrollment, "check", &right());
        assert_eq!(passed["passed"], true, "waiting does in place of the review");
        assert_eq!(state(&ada, &enrollment, "b"), "available");
    }

    fn a_hurdle_without_attempts_left_needs_somebody_s_help(app) {
        let hurdle = quiz("check", "hurdle", json!({"max_attempts": 1}));
        let course = app.course("linear_hurdles", &json!({"stages": [sequence("s", "linear", vec![hurdle, article("b")])]}));
        let ada = app.user("ada");
        let enrollment = ada.enroll(&course);
        ada.attempt(&enrollment, "check", &wrong());
        assert_eq!(state(&ada, &enrollment, "check"), "failed");
        assert!(next(&ada, &enrollment).is_empty());
        let path = format!("/v1/enrollments/{enrollment}/modules/check");
        ada.post(&format!("{path}/attempts"), json!({})).expect(409);
        ada.post(&format!("{path}/overrides"), json!({"kind": "extra_attempts", "attempts": 1})).problem(403, "forbidden");
        app.admin().post(&format!("{path}/overrides"), json!({"kind": "extra_attempts", "attempts": 1, "reason": "ill"})).expect(200);
        ada.attempt(&enrollment, "check", &right());
        assert_eq!(state(&ada, &enrollment, "b"), "available");
    }

    fn random_access_is_open_and_ends_with_the_final(app) {
        let outline = json!({"stages": [sequence("s", "any", vec![article("a"), quiz("q1", "core", json!({"max_attempts": 1})), video("v"), quiz("end", "final", json!({}))])]});
        let course = app.course("random_access", &outline);
        let ada = app.user("ada");
        let enrollment = ada.enroll(&course);
        assert!(ada.states(&enrollment).values().all(|state| state == "available"));
        ada.attempt(&enrollment, "q1", &wrong());
        ada.watch(&enrollment, "v", 10.0).expect(200);
        let done = ada.attempt(&enrollment, "end", &right());
        assert_eq!((&done["enrollment"]["status"], &done["enrollment"]["progress"]["percent"]), (&json!("completed"), &json!(100.0)));

        let mut both = outline.clone();
        both["complete_when"] = json!("final_and_core");
        both["stages"][0]["modules"][1] = article("q1");
        let course = app.course("random_access", &both);
        let enrollment = ada.enroll(&course);
        let half = ada.attempt(&enrollment, "end", &right());
        assert_eq!(half["enrollment"]["status"], "active");
    }

    fn static_branching_takes_every_branch_in_the_learner_s_order(app) {
        let outline = json!({"stages": [
            sequence("intro", "linear", vec![article("hello")]),
            {"kind": "choice", "key": "tracks", "choose": "all", "exclusive": true, "branches": [
                branch("a", vec![article("a1"), quiz("a2", "core", json!({}))]), branch("b", vec![quiz("b1", "core", json!({}))])]},
        ]});
        let course = app.course("static_branching", &outline);
        let ada = app.user("ada");
        let enrollment = ada.enroll(&course);
        let choices = format!("/v1/enrollments/{enrollment}/choices");
        let early = ada.post(&choices, json!({"stage": "tracks", "branch": "b"})).problem(403, "module_locked");
        assert_eq!(early["reason"], "stage_locked");
        assert_eq!(early["actions"], json!([{"do": "complete_module", "module": "hello"}]), "not the choice that is refused");
        ada.open(&enrollment, "hello").expect(200);
        assert_eq!(next(&ada, &enrollment), [json!({"stage": "tracks", "branches": ["a", "b"], "reason": "choose_branch"})]);
        ada.post(&choices, json!({"stage": "tracks", "branch": "b"})).expect(200);
        ada.post(&choices, json!({"stage": "tracks", "branch": "a"})).expect(200);
        ada.open(&enrollment, "a1").expect(200);
        let jump = ada.post(&choices, json!({"stage": "tracks", "branch": "b"})).problem(403, "module_locked");
        assert_eq!(jump["reason"], "branch_unfinished");
        ada.get(&format!("/v1/enrollments/{enrollment}/modules/b1")).problem(403, "module_locked");
        ada.attempt(&enrollment, "a2", &right());
        ada.post(&choices, json!({"stage": "tracks", "branch": "b"})).expect(200);
        let done = ada.attempt(&enrollment, "b1", &right());
        assert_eq!(done["enrollment"]["status"], "completed");
        assert_eq!(ada.post(&choices, json!({"stage": "nowhere", "branch": "b"})).faults(), ["/stage"]);
        assert_eq!(ada.post(&choices, json!({"stage": "tracks", "branch": "z"})).faults(), ["/branch"]);
    }

    fn dynamic_branching_ends_with_the_chosen_pathway_and_adapts(app) {
        let adaptive = |key: &str, role: &str, when: Value| json!({"key": key, "title": key, "kind": "article", "content": {}, "role": role, "when": when, "unmet": "hide"});
        let outline = json!({"stages": [
            sequence("start", "linear", vec![quiz("entry", "core", json!({"pass_percent": 0}))]),
            {"kind": "choice", "key": "way", "choose": "one", "branches": [branch("case", vec![article("case1")]), branch("sim", vec![article("sim1"), article("sim2")])]},
            sequence("end", "linear", vec![
                adaptive("help", "remedial", json!({"score": {"module": "entry", "below": 50}})), article("last"),
                adaptive("more", "advanced", json!({"score": {"module": "entry", "at_least": 80}}))]),
        ]});
        let course = app.course("dynamic_branching", &outline);
        let walk = |answers: &Value, modules: &[&str]| {
            let learner = app.user("learner");
            let enrollment = learner.enroll(&course);
            learner.attempt(&enrollment, "entry", answers);
            let choices = format!("/v1/enrollments/{enrollment}/choices");
            learner.post(&choices, json!({"stage": "way", "branch": "sim"})).expect(200);
            learner.post(&choices, json!({"stage": "way", "branch": "case"})).expect(200);
            assert_eq!(state(&learner, &enrollment, "sim1"), "not_chosen");
            let mut taken = Vec::new();
            while let Some(module) = next(&learner, &enrollment).first().and_then(|step| step["module"].as_str().map(str::to_owned)) {
                learner.open(&enrollment, &module).expect(200);
                taken.push(module);
            }
            assert_eq!(taken, modules);
            learner.post(&choices, json!({"stage": "way", "branch": "sim"})).expect(409);
            let seen = learner.get(&format!("/v1/enrollments/{enrollment}")).expect(200);
            assert_eq!((&seen["status"], &seen["progress"]["percent"]), (&json!("completed"), &json!(100.0)));
        };
        walk(&right(), &["case1", "last", "more"]);
        walk(&wrong(), &["case1", "help", "last"]);
    }

    fn hybrid_courses_release_their_modules_week_by_week(app) {
        let released = |key: &str, days: u32| {
            let mut module = article(key);
            module["release"] = json!({"since": "cohort_start", "after_days": days});
            module
        };
        let outline = json!({"stages": [sequence("weeks", "any", vec![released("w1", 0), released("w2", 7), quiz("end", "final", json!({}))])]});
        let course = app.course_with(json!({"title": "Weeks", "style": "random_access", "delivery_mode": "hybrid"}), &outline);
        let ada = app.user("ada");
        let starts = app.state.clock.now() + chrono::TimeDelta::days(1);
        let enrollment = app.admin().post(&format!("/v1/courses/{course}/enrollments"), json!({"user_id": ada.id(), "cohort_start_at": starts})).expect(201).id();
        let access = ada.get(&format!("/v1/enrollments/{enrollment}/modules/w1/access")).expect(200);
        assert_eq!(access["opens_at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap(), starts);
        app.advance(86_400);
        assert_eq!((state(&ada, &enrollment, "w1"), state(&ada, &enrollment, "w2")), ("available".into(), "locked".into()));
        app.advance(7 * 86_400);
        assert_eq!(state(&ada, &enrollment, "w2"), "available");
    }
}
