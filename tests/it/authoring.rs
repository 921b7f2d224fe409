//! Writing a course: drafts that nobody overwrites unseen, the linter, revisions, copies, simulation.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a scenario is a test, and fails by panicking")]

use crate::support::factory::{article, quiz, sequence};
use crate::support::{Answer, TestApp, Value, json};

fn draft(app: &TestApp, style: &str, modules: Vec<Value>) -> String {
    let author = app.admin();
    let id = author.post("/v1/courses", json!({"title": "Draft", "style": style})).expect(201).id();
    author.put(&format!("/v1/courses/{id}/outline"), json!({"stages": [sequence("s", "linear", modules)]})).expect(200);
    id
}

fn codes(lint: &Answer) -> Vec<String> {
    lint["errors"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap().to_owned()).collect()
}

both! {
    fn two_authors_do_not_overwrite_each_other(app) {
        let id = draft(app, "linear_autoplay", vec![article("a")]);
        let path = format!("/v1/courses/{id}/outline");
        let tag = app.admin().get(&path).expect(200).header("etag").unwrap().to_owned();
        let newer = json!({"stages": [sequence("s", "linear", vec![article("a"), article("b")])]});
        app.admin().call("PUT", &path, Some(newer.clone()), &[("if-match", &tag)]).expect(200);
        app.admin().call("PUT", &path, Some(newer), &[("if-match", &tag)]).problem(412, "precondition_failed");
        app.admin().patch(&format!("/v1/courses/{id}/modules/b"), json!({"title": "Better"})).expect(200);
        assert_eq!(app.admin().get(&format!("/v1/courses/{id}/modules/b")).expect(200)["title"], "Better");
    }

    fn the_linter_says_what_is_wrong_and_where(app) {
        let lint = |style: &str, modules: Vec<Value>| {
            let id = draft(app, style, modules);
            let found = codes(&app.admin().post(&format!("/v1/courses/{id}/lint"), json!({})).expect(200));
            let published = app.admin().post(&format!("/v1/courses/{id}/publish"), json!({}));
            assert_eq!(published.status, if found.is_empty() { 201 } else { 422 });
            found
        };
        let when = |key: &str, on: &str| {
            let mut module = article(key);
            module["when"] = json!({"module": {"key": on, "is": "completed"}});
            module
        };
        assert_eq!(lint("linear_autoplay", vec![article("a")]), Vec::<String>::new());
        assert!(lint("linear_hurdles", vec![article("a")]).contains(&"style_shape".to_owned()));
        assert!(lint("linear_autoplay", vec![when("a", "b"), when("b", "a")]).contains(&"cycle".to_owned()));
        assert!(lint("linear_autoplay", vec![when("a", "nowhere")]).contains(&"unknown_module".to_owned()));
        let mut hurdle = article("h");
        hurdle["role"] = json!("hurdle");
        assert!(lint("linear_hurdles", vec![hurdle]).contains(&"hurdle_without_quiz".to_owned()));
        assert!(!lint("linear_hurdles", vec![quiz("q", "hurdle", json!({"pass_percent": 120}))]).is_empty());
    }

    fn an_adaptive_course_is_published_if_each_of_its_ways_is_somebodys(app) {
        let author = app.admin();
        let item = |n: usize| json!({"key": format!("q{n}"), "type": "true_false", "prompt": "?", "answer": true});
        let course = |items: usize, branches: Vec<(&str, Value)>| {
            let mut p = quiz("p", "core", json!({"pass_percent": 80}));
            p["content"]["items"] = (0..items).map(item).collect();
            p["completion"] = json!({"submitted": true});
            let branches: Vec<Value> = branches
                .into_iter()
                .map(|(key, when)| json!({"key": format!("b-{key}"), "title": key, "when": when, "modules": [article(key)]}))
                .collect();
            let choice = json!({"kind": "choice", "key": "c", "choose": "one", "route": "auto", "branches": branches});
            let id = author.post("/v1/courses", json!({"title": "Draft", "style": "dynamic_branching"})).expect(201).id();
            let outline = json!({"stages": [sequence("s", "linear", vec![p]), choice]});
            author.put(&format!("/v1/courses/{id}/outline"), outline).expect(200);
            id
        };
        let score = |range: Value| {
            let mut leaf = range;
            leaf["module"] = json!("p");
            json!({ "score": leaf })
        };
        let thirds = || {
            let (lo, mid, hi) = (json!({"below": 50}), json!({"at_least": 50, "below": 75}), json!({"at_least": 75}));
            vec![("lo", score(lo)), ("mid", score(mid)), ("hi", score(hi))]
        };
        let id = course(4, thirds());
        let lint = author.post(&format!("/v1/courses/{id}/lint"), json!({})).expect(200);
        assert_eq!(codes(&lint), Vec::<String>::new());
        let script = json!({"steps": [{"fail": {"module": "p", "score_percent": 50}}]});
        let told = author.post(&format!("/v1/courses/{id}/simulate"), script).expect(200);
        assert_eq!(told["next"][0]["module"], "mid");
        author.post(&format!("/v1/courses/{id}/publish"), json!({})).expect(201);

        let site = |value: u32| json!({"attribute": {"name": "site", "op": "equals", "value": value}});
        let id = course(1, vec![("one", site(1)), ("two", site(2))]);
        author.post(&format!("/v1/courses/{id}/publish"), json!({})).expect(201);

        // One question is right or wrong: nobody has half.
        let id = course(1, thirds());
        let lint = author.post(&format!("/v1/courses/{id}/lint"), json!({})).expect(200);
        assert_eq!(codes(&lint), ["unreachable_module"]);
        author.post(&format!("/v1/courses/{id}/publish"), json!({})).problem(422, "lint_failed");
    }

    fn a_course_can_be_copied_archived_and_simulated(app) {
        let id = draft(app, "linear_hurdles", vec![article("a"), quiz("q", "hurdle", json!({"remediation": ["a"]})), article("b")]);
        let script = json!({"steps": [{"complete": "b"}, {"complete": "a"}, {"fail": {"module": "q"}}]});
        let told = app.admin().post(&format!("/v1/courses/{id}/simulate"), script).expect(200);
        assert_eq!(told["steps"][0]["refused"]["code"], "module_locked");
        assert_eq!(told["steps"][1]["opened"], json!(["q"]));
        assert_eq!((&told["next"][0]["module"], &told["next"][0]["reason"]), (&json!("a"), &json!("remedial")));
        app.admin().post(&format!("/v1/courses/{id}/publish"), json!({})).expect(201);
        let copy = app.admin().post(&format!("/v1/courses/{id}/duplicate"), json!({"title": "Copy"})).expect(201);
        assert_eq!((&copy["title"], &copy["status"], &copy["style"]), (&json!("Copy"), &json!("draft"), &json!("linear_hurdles")));
        let ada = app.user("ada");
        let e = ada.enroll(&id);
        app.admin().post(&format!("/v1/courses/{id}/archive"), json!({})).expect(200);
        app.user("bob").post(&format!("/v1/courses/{id}/enrollments"), json!({})).problem(403, "enrollment_closed");
        ada.open(&e, "a").expect(200);
    }

    fn a_certificate_is_verified_by_anyone_until_revoked(app) {
        let id = draft(app, "linear_autoplay", vec![article("a")]);
        app.admin().post(&format!("/v1/courses/{id}/publish"), json!({})).expect(201);
        let ada = app.user("ada");
        let e = ada.enroll(&id);
        let certificate = ada.open(&e, "a").expect(200)["certificate_id"].as_str().unwrap().to_owned();
        let seen = ada.get(&format!("/v1/certificates/{certificate}")).expect(200);
        let serial = seen["serial"].as_str().unwrap().to_owned();
        assert_eq!(app.anyone().get(&format!("/verify/{serial}")).expect(200)["valid"], true);
        assert!(matches!(app.user("eve").get(&format!("/v1/certificates/{certificate}")).status, 403 | 404));
        ada.post(&format!("/v1/certificates/{certificate}/revoke"), json!({"reason": "Mine"})).problem(403, "forbidden");
        app.admin().post(&format!("/v1/certificates/{certificate}/revoke"), json!({"reason": "Copied answers."})).expect(200);
        assert_eq!(app.anyone().get(&format!("/verify/{serial}")).expect(200)["valid"], false);
        app.anyone().get("/verify/NOT-A-SERIAL").problem(404, "not_found");
    }

    fn what_others_wait_for_is_completed_by_passing_alone(app) {
        let author = app.admin();
        let lint = |style: &str, outline: Value| {
            let id = author.post("/v1/courses", json!({"title": "Draft", "style": style})).expect(201).id();
            author.put(&format!("/v1/courses/{id}/outline"), outline).expect(200);
            let report = author.post(&format!("/v1/courses/{id}/lint"), json!({})).expect(200);
            report["errors"].as_array().unwrap().iter().map(|e| format!("{} {}", e["code"].as_str().unwrap(), e["pointer"].as_str().unwrap())).collect::<Vec<_>>()
        };
        let by = |mut quiz: Value, completion: Value| { quiz["completion"] = completion; quiz };
        let branching = |end: Vec<Value>| {
            let branch = |key: &str, modules: Vec<Value>| json!({"key": key, "title": key, "modules": modules});
            json!({"stages": [sequence("o", "linear", vec![article("open")]), {"kind": "choice", "key": "c", "choose": "all", "exclusive": true,
                "branches": [branch("a", end), branch("b", vec![quiz("qb", "core", json!({}))])]}]})
        };
        let q = |completion: Value| by(quiz("qa", "core", json!({"pass_percent": 60})), completion);
        let none: Vec<String> = Vec::new();
        for good in [json!({"passed": true}), json!({"score_at_least": 60})] {
            assert_eq!(lint("static_branching", branching(vec![article("x"), q(good.clone())])), none);
            assert_eq!(lint("linear_hurdles", json!({"stages": [sequence("s", "linear", vec![by(quiz("h", "hurdle", json!({"pass_percent": 60})), good)])]})), none);
        }
        for bad in [json!({"submitted": true}), json!({"score_at_least": 59})] {
            assert_eq!(lint("static_branching", branching(vec![article("x"), q(bad)])), ["completed_without_passing /stages/1/branches/0/modules/1/completion"]);
        }
        let mut hidden = q(json!({"passed": true}));
        hidden["when"] = json!({"attribute": {"name": "site", "op": "exists"}});
        hidden["unmet"] = json!("hide");
        assert_eq!(lint("static_branching", branching(vec![article("x"), hidden.clone()])), ["branch_without_end /stages/1/branches/0/modules"]);
        assert_eq!(lint("static_branching", branching(vec![quiz("q0", "core", json!({})), hidden])), none);
        let low = |role: &str| by(quiz("h", role, json!({"pass_percent": 60})), json!({"score_at_least": 10}));
        assert_eq!(lint("linear_hurdles", json!({"stages": [sequence("s", "linear", vec![low("hurdle")])]})), ["completed_without_passing /stages/0/modules/0/completion"]);
        assert_eq!(lint("random_access", json!({"stages": [sequence("s", "any", vec![low("final")])]})), ["completed_without_passing /stages/0/modules/0/completion"]);
    }

    fn points_are_bounded_and_keys_stay_in_paths(app) {
        let item = |key: &str, points: f64| json!({"key": key, "type": "true_false", "prompt": "?", "answer": true, "points": points});
        let items = json!({"items": [item("x", 1e308), item("y", 1_000_000.0), item("z", 1_000_001.0)], "pass_percent": 100.5});
        let id = draft(app, "linear_autoplay", vec![article(".."), article("."), article("..."), quiz("q", "core", items)]);
        let report = app.admin().post(&format!("/v1/courses/{id}/lint"), json!({})).expect(200);
        let mut at: Vec<&str> = report["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
        at.sort_unstable();
        let q = "/stages/0/modules";
        assert_eq!(at, [format!("{q}/0/key"), format!("{q}/1/key"), format!("{q}/3/content/items/0/points"), format!("{q}/3/content/items/2/points"), format!("{q}/3/content/pass_percent")]);
    }
}
