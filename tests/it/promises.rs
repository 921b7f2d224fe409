//! What a stranger tried on the finished server, each once broken and now kept.

use crate::support::factory::{article, quiz, right, sequence, video, wrong};
use crate::support::{TestApp, Value, json};

fn course(app: &TestApp, style: &str, modules: Vec<Value>) -> String {
    let order = if style == "random_access" { "any" } else { "linear" };
    app.course(style, &json!({"stages": [sequence("s", order, modules)]}))
}

fn with(mut module: Value, name: &str, value: Value) -> Value {
    module[name] = value;
    module
}

both! {
    fn unknown_query_parameters_and_bodies_are_refused_by_every_operation(app) {
        let admin = app.admin();
        let id = course(app, "linear_autoplay", vec![article("a")]);
        for path in ["/v1/me?foo=1".to_owned(), format!("/v1/courses/{id}?foo=1"), format!("/v1/courses/{id}/outline?as_of=now")] {
            let faults = admin.get(&path).faults();
            assert!(faults.len() == 1 && faults[0].starts_with('?'), "{path}: {faults:?}");
        }
        let lint = format!("/v1/courses/{id}/lint");
        assert_eq!(admin.post(&lint, json!({"foo": 1, "bar": 2})).faults(), ["/bar", "/foo"]);
        admin.send("POST", &lint, &[("content-type", "application/json")], Some(b"garbage")).problem(400, "malformed_request");
        admin.post(&lint, json!({})).expect(200);
        app.anyone().get("/v1/me?foo=1").problem(401, "unauthenticated");
        admin.get("/v1/courses?foo=1").problem(422, "validation_failed");
        assert_eq!(admin.get("//v1/courses").status, 404);
    }

    fn what_is_unknown_does_not_hide_what_is_wrong(app) {
        let admin = app.admin();
        let user = json!({"email": "x@example.org", "given_name": "X", "family_name": "Y", "manager_id": "nobody", "unit_id": "-", "zzz": 1});
        assert_eq!(admin.post("/v1/users", user.clone()).faults(), ["/manager_id", "/unit_id", "/zzz"]);
        let bulk = admin.post("/v1/users/bulk", json!({"users": [user]})).expect(200);
        let told: Vec<&str> = bulk["results"][0]["error"]["errors"].as_array().unwrap().iter().map(|f| f["pointer"].as_str().unwrap()).collect();
        assert!(["/manager_id", "/unit_id", "/zzz"].iter().all(|at| told.contains(at)), "{}", bulk.text());
    }

    fn a_body_that_is_no_json_is_refused_where_none_is_taken(app) {
        for path in ["groups/{}/members/{}", "goals/{}/learners/{}"] {
            let path = format!("/v1/{}", path.replace("{}", "0199c0de-0000-7000-8000-000000000001"));
            let answer = app.admin().send("PUT", &path, &[("content-type", "application/json")], Some(b"garbage"));
            answer.problem(400, "malformed_request");
        }
        for path in ["/healthz?zzz=1", "/readyz?zzz=1", "/metrics?zzz=1", "/openapi.json?zzz=1", "/.well-known/jwks.json?zzz=1"] {
            app.anyone().get(path).expect(200);
        }
    }

    fn an_external_id_filters_as_an_id_does(app) {
        let admin = app.admin();
        let boss = app.user_with("boss", json!({"external_id": "hr 1/é"}));
        let worker = app.user_with("worker", json!({"manager_id": boss.id()}));
        let course = course(app, "linear_autoplay", vec![article("a")]);
        admin.patch(&format!("/v1/courses/{course}"), json!({"external_id": "c-1"})).expect(200);
        let enrollment = boss.enroll(&course);
        let found = |path: &str| admin.get(path).expect(200)["items"].as_array().unwrap().iter().map(|i| i["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(found("/v1/enrollments?user_id=ext:hr%201/%C3%A9"), std::slice::from_ref(&enrollment));
        assert_eq!(found("/v1/enrollments?course_id=ext:c-1"), [enrollment]);
        assert_eq!(found("/v1/users?manager_id=ext:hr%201/%C3%A9"), [worker.id().to_owned()]);
        assert_eq!(found("/v1/enrollments?user_id=ext:nobody"), [""; 0]);
        assert_eq!(found("/v1/certificates?user_id=ext:hr%201/%C3%A9&course_id=ext:c-1"), [""; 0]);
    }

    fn one_event_that_cannot_be_read_does_not_hold_up_the_others(app) {
        let learner = app.user("learner");
        let enrollment = learner.enroll(&course(app, "linear_autoplay", vec![video("v"), article("a")]));
        let id = |n: u128| uuid::Uuid::from_u128(n).to_string();
        let events = json!({"events": [
            {"id": id(1), "type": "napped", "module": "v"},
            {"id": id(2), "type": "watched", "module": "v", "from_seconds": 0, "to_seconds": 100},
            {"id": id(3), "type": "position", "module": "v"}]});
        let out = learner.post(&format!("/v1/enrollments/{enrollment}/events"), events).expect(200);
        let told: Vec<_> = out["results"].as_array().unwrap().iter().map(|r| (r["id"].as_str().unwrap().to_owned(), r["status"].as_str().unwrap().to_owned())).collect();
        assert_eq!(told, [(id(1), "rejected".into()), (id(2), "applied".into()), (id(3), "rejected".into())]);
        let detail = out["results"][0]["error"]["errors"][0]["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("opened") && detail.contains("marked_done"), "all types are named: {detail}");
        assert_eq!(out["results"][2]["error"]["errors"][0]["pointer"], "/seconds");
        let bad = json!({"events": [{"id": "x", "type": "opened", "module": "a"}, {"id": id(4), "type": "opened", "module": "a"}]});
        assert_eq!(learner.post(&format!("/v1/enrollments/{enrollment}/events"), bad).faults(), ["/events/0/id"]);
        assert_eq!(learner.states(&enrollment)["a"], "available", "nothing of it was applied");
        let bad = json!({"events": [{"id": "x", "type": "fly", "module": "a"}, {"id": id(4), "type": "position", "module": "a", "extra": 1}, {"type": "opened"}]});
        let faults = learner.post(&format!("/v1/enrollments/{enrollment}/events"), bad).faults();
        assert_eq!(faults, ["/events/0/id", "/events/0/type", "/events/1/extra", "/events/1/seconds", "/events/2/id", "/events/2/module"], "all at once");
    }

    fn the_path_says_what_the_door_does(app) {
        let learner = app.user("learner");
        let id = course(app, "linear_autoplay", vec![article("a")]);
        let enrollment = learner.enroll(&id);
        let at = |rest: &str| format!("/v1/enrollments/{enrollment}{rest}");
        assert_eq!(learner.states(&enrollment)["a"], "available");
        learner.post(&at("/withdraw"), json!({})).expect(200);
        assert_eq!(learner.states(&enrollment)["a"], "locked");
        assert_eq!(learner.get(&at("/next")).expect(200)["items"], json!([]));
        let why = learner.get(&at("/modules/a/access")).expect(200);
        assert_eq!(why["reasons"], json!([{"leaf": "enrollment", "required": "active", "actual": "withdrawn", "met": false}]));
        learner.get(&at("/modules/a")).problem(403, "module_locked");
    }

    fn an_enrollment_ends_at_its_hour_and_not_at_the_next_sweep(app) {
        let learner = app.user("learner");
        let id = course(app, "linear_autoplay", vec![article("a")]);
        let until = |seconds: i64| (app.state.clock.now() + chrono::TimeDelta::seconds(seconds)).to_rfc3339();
        let enroll = |until: String| app.admin().post(&format!("/v1/courses/{id}/enrollments"), json!({"user_id": learner.id(), "expires_at": until}));
        assert_eq!(enroll(until(-60)).faults(), ["/expires_at"]);
        let enrollment = enroll(until(600)).expect(201).id();
        learner.get(&format!("/v1/enrollments/{enrollment}/modules/a")).expect(200);
        app.advance(601);
        assert_eq!(learner.get(&format!("/v1/enrollments/{enrollment}")).expect(200)["status"], "expired");
        assert_eq!(learner.get("/v1/enrollments").expect(200)["items"][0]["status"], "expired");
        learner.get(&format!("/v1/enrollments/{enrollment}/modules/a")).problem(403, "module_locked");
        learner.open(&enrollment, "a").problem(409, "wrong_state");
    }

    fn who_has_tested_out_of_everything_is_through(app) {
        let tested = json!({"attribute": {"name": "expert", "op": "exists"}});
        let id = course(app, "linear_autoplay", vec![with(video("v"), "waive_when", tested)]);
        let expert = app.user_with("expert", json!({"attributes": {"expert": true}}));
        let made = expert.post(&format!("/v1/courses/{id}/enrollments"), json!({})).expect(201);
        assert_eq!((&made["status"], &made["progress"]["percent"]), (&json!("completed"), &json!(100.0)));
        assert_eq!(expert.get("/v1/certificates").expect(200)["items"].as_array().unwrap().len(), 1);

        let later = app.user("later");
        let enrollment = later.enroll(&id);
        app.admin().patch(&format!("/v1/users/{}", later.id()), json!({"attributes": {"expert": true}})).expect(200);
        app.dispatch();
        assert_eq!(later.get(&format!("/v1/enrollments/{enrollment}")).expect(200)["status"], "completed", "a changed profile counts too");
    }

    fn an_upgrade_does_not_change_what_was_asked(app) {
        let admin = app.admin();
        let q = |prompt: &str| {
            let mut q = quiz("q", "core", json!({"max_attempts": 0}));
            q["content"]["items"][0]["prompt"] = json!(prompt);
            q
        };
        let id = course(app, "linear_autoplay", vec![q("Old?"), article("a")]);
        let learner = app.user("learner");
        let enrollment = learner.enroll(&id);
        let graded = learner.attempt(&enrollment, "q", &wrong()).id();
        let open = learner.post(&format!("/v1/enrollments/{enrollment}/modules/q/attempts"), json!({})).expect(201).id();

        let mut new = quiz("q", "core", json!({"max_attempts": 0}));
        new["content"]["items"][0]["key"] = json!("other");
        new["content"]["items"][0]["prompt"] = json!("New?");
        admin.put(&format!("/v1/courses/{id}/outline"), json!({"stages": [sequence("s", "linear", vec![new, article("a")])]})).expect(200);
        admin.post(&format!("/v1/courses/{id}/publish"), json!({})).expect(201);
        learner.post(&format!("/v1/enrollments/{enrollment}/upgrade"), json!({})).expect(200);

        let old = learner.get(&format!("/v1/attempts/{graded}")).expect(200);
        assert_eq!((&old["items"][0]["prompt"], &old["results"][0]["key"]), (&json!("Old?"), &json!("q")));
        learner.put(&format!("/v1/attempts/{open}/answers/q"), json!({"answer": right()["q"]})).expect(200);
        let done = learner.post(&format!("/v1/attempts/{open}/submit"), json!({})).expect(200);
        assert_eq!(done["score_percent"], 100.0, "the running attempt is about the old questions");
        assert_eq!(learner.states(&enrollment)["q"], "completed");
        let fresh = learner.post(&format!("/v1/enrollments/{enrollment}/modules/q/attempts"), json!({})).expect(201);
        assert_eq!(fresh["items"][0]["prompt"], "New?");
    }

    fn a_past_path_knows_the_choices_of_its_time(app) {
        let stages = json!({"stages": [{"kind": "choice", "key": "t", "choose": "one", "branches": [
            {"key": "A", "title": "A", "modules": [article("a1")]}, {"key": "B", "title": "B", "modules": [article("b1")]}]}]});
        let id = app.course("dynamic_branching", &stages);
        let learner = app.user("learner");
        let enrollment = learner.enroll(&id);
        let choose = |branch: &str| learner.post(&format!("/v1/enrollments/{enrollment}/choices"), json!({"stage": "t", "branch": branch})).expect(200);
        choose("A");
        let then = app.state.clock.now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        app.advance(60);
        choose("B");
        let past = learner.get(&format!("/v1/enrollments/{enrollment}/path?as_of={then}")).expect(200);
        let states: Vec<_> = past["stages"][0]["branches"].as_array().unwrap().iter().map(|b| b["state"].as_str().unwrap().to_owned()).collect();
        assert_eq!(states, ["available", "not_chosen"]);
        assert_eq!(learner.states(&enrollment)["a1"], "not_chosen");
    }

    fn the_linter_knows_what_nobody_can_complete(app) {
        let admin = app.admin();
        let lint = |id: &str, when: Value| {
            let modules = vec![article("a"), with(article("m"), "when", when)];
            admin.put(&format!("/v1/courses/{id}/outline"), json!({"stages": [sequence("s", "linear", modules)]})).expect(200);
            let report = admin.post(&format!("/v1/courses/{id}/lint"), json!({})).expect(200);
            report["errors"].as_array().unwrap().iter().map(|e| e["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let id = course(app, "linear_autoplay", vec![article("a")]);
        assert!(lint(&id, json!({"date": {"until": "2020-01-01T00:00:00Z"}})).contains(&"not_completable".to_owned()));
        assert!(lint(&id, json!({"course": {"id": id, "is": "completed"}})).contains(&"own_course".to_owned()));
        assert_eq!(lint(&id, json!({"not": {"attribute": {"name": "department", "op": "equals", "value": "HR"}}})), [""; 0]);
        assert_eq!(lint(&id, json!({"date": {"from": "2020-01-01T00:00:00Z"}})), [""; 0]);
    }

    fn a_new_signing_key_is_taken_up_while_the_server_runs(app) {
        let state = app.state.clone();
        let now = state.clock.now();
        let kid = state.db.write_here(move |conn| cairn::auth::keys::rotate(conn, now)).unwrap();
        state.tokens.keys.reload(&state.db).unwrap();
        assert_eq!(state.tokens.keys.get().current, kid);
        let keys = app.anyone().get("/.well-known/jwks.json").expect(200);
        assert!(keys["keys"].as_array().unwrap().iter().any(|k| k["kid"] == json!(kid)));
        app.admin().get("/v1/me").expect(200);
    }
}
