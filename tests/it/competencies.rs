//! Frameworks and their import, alignment, evidence, mastery with its provenance, corrections, the matrix of a class, goals.

use crate::support::factory::{article, quiz, sequence, unique};
use crate::support::{Answer, Client, TestApp, Value, json};

/// A framework of these competencies; ids by position.
pub fn framework(app: &TestApp, competencies: Value) -> (String, Vec<String>) {
    let made = app.admin().post("/v1/frameworks", json!({"title": unique("Framework "), "competencies": competencies}));
    let id = made.expect(201).id();
    let list = app.admin().all(&format!("/v1/competencies?framework_id={id}"));
    let mut list: Vec<(i64, String)> =
        list.iter().map(|c| (c["position"].as_i64().unwrap(), c["id"].as_str().unwrap().to_owned())).collect();
    list.sort();
    (id, list.into_iter().map(|(_, id)| id).collect())
}

/// One competency with this method.
pub fn competency(app: &TestApp, method: &str) -> String {
    framework(app, json!([{"key": "c", "title": "C", "method": method}])).1.remove(0)
}

/// A quiz of one question that evaluates these competencies.
pub fn assessing(key: &str, role: &str, ids: &[&str], content: Value) -> Value {
    let mut made = quiz(key, role, content);
    let links: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
    made["content"]["items"][0]["competencies"] = json!(links);
    made
}

pub fn mastery(who: &Client, user: &str, competency: &str) -> Answer {
    who.get(&format!("/v1/users/{user}/mastery/{competency}")).expect(200)
}

both! {
    fn a_competency_has_at_least_one_level(app) {
        let c = competency(app, "highest");
        let before = app.admin().get(&format!("/v1/competencies/{c}")).expect(200)["levels"].clone();
        assert_eq!(app.admin().patch(&format!("/v1/competencies/{c}"), json!({"levels": []})).faults(), ["/levels"]);
        assert_eq!(app.admin().get(&format!("/v1/competencies/{c}")).expect(200)["levels"], before);
        let made = json!({"title": "T", "competencies": [{"key": "a", "title": "A", "levels": []}]});
        assert_eq!(app.admin().post("/v1/frameworks", made).faults(), ["/competencies/0/levels"]);
    }

    fn competencies_are_written_one_by_one_and_stay_while_they_are_used(app) {
        let (id, ids) = framework(app, json!([{"key": "a", "title": "A"}, {"key": "b", "title": "B", "parent": "a"}]));
        let new = app.admin().post("/v1/competencies", json!({"framework_id": id, "key": "c", "title": "C", "parent_id": ids[1], "method": "n_mastery", "params": {"n": 2}})).expect(201);
        assert_eq!(new["position"], 3);
        app.admin().post("/v1/competencies", json!({"framework_id": id, "key": "c", "title": "C"})).problem(409, "conflict");
        let cycle = app.admin().patch(&format!("/v1/competencies/{}", ids[0]), json!({"parent_id": new.id()}));
        assert_eq!(cycle.faults(), ["/parent_id"]);
        let bad = json!({"title": "X", "competencies": [{"key": "x", "title": "X", "method": "magic"}, {"key": "y", "title": "Y", "parent": "z", "levels": [{"name": "hi", "at_least": 2}], "rollup": {"points": {"needed": 0}}}]});
        assert_eq!(app.admin().post("/v1/frameworks", bad).faults(), ["/competencies/0/method", "/competencies/1/levels/0/at_least", "/competencies/1/parent", "/competencies/1/rollup/points/needed"]);
        assert_eq!(app.admin().patch(&format!("/v1/competencies/{}", new.id()), json!({"params": {"rate": 0.5}})).faults(), ["/params/rate"]);

        let ada = app.user("ada");
        app.admin().post(&format!("/v1/users/{}/evidence", ada.id()), json!({"competency_id": new.id(), "score": 1})).expect(201);
        app.admin().delete(&format!("/v1/competencies/{}", new.id())).problem(409, "wrong_state");
        app.admin().delete(&format!("/v1/frameworks/{id}")).problem(409, "wrong_state");
        app.admin().patch(&format!("/v1/competencies/{}", new.id()), json!({"retired": true})).expect(200);
        assert_eq!(app.admin().get(&format!("/v1/frameworks/{id}")).expect(200)["competency_count"], 2);
        app.admin().delete(&format!("/v1/competencies/{}", ids[0])).problem(409, "wrong_state");
        let (unused, _) = framework(app, json!([{"key": "a", "title": "A"}, {"key": "b", "title": "B", "parent": "a"}]));
        app.admin().delete(&format!("/v1/frameworks/{unused}")).expect(204);
        app.admin().get(&format!("/v1/frameworks/{unused}")).problem(404, "not_found");
    }

    fn graded_work_leaves_evidence_with_its_provenance(app) {
        let (_, ids) = framework(app, json!([{"key": "a", "title": "A", "method": "average"}, {"key": "b", "title": "B", "method": "highest"}]));
        let (a, b) = (ids[0].as_str(), ids[1].as_str());
        let mut check = quiz("check", "core", json!({"pass_percent": 0, "items": [
            {"key": "one", "type": "true_false", "prompt": "?", "answer": true, "competencies": [{"id": a, "weight": 3}]},
            {"key": "two", "type": "true_false", "prompt": "?", "answer": true, "competencies": [{"id": a}]}]}));
        check["competencies"] = json!([{"id": b, "weight": 2}]);
        let mut done = article("done");
        done["competencies"] = json!([{"id": b, "touch": "assesses"}]);
        let mut read = article("read");
        read["competencies"] = json!([{"id": a}]);
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![read, check, done])]}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.open(&e, "read").expect(200);
        assert!(ada.all(&format!("/v1/users/{}/mastery", ada.id())).is_empty(), "teaching proves nothing");
        ada.attempt(&e, "check", &json!({"one": true, "two": false}));
        ada.attempt(&e, "check", &json!({"one": false, "two": true}));
        let detail = mastery(&ada, ada.id(), a);
        assert_eq!((&detail["mastery"], &detail["method"], &detail["order_by"]), (&json!(0.5), &json!("average"), &json!("submitted_at")));
        assert_eq!((&detail["formula"], &detail["evidence_count"]), (&json!("sum(w·s) / sum(w)"), &json!(2)));
        let pieces: Vec<(f64, f64)> = detail["evidence"].as_array().unwrap().iter().map(|p| (p["score"].as_f64().unwrap(), p["weight"].as_f64().unwrap())).collect();
        assert_eq!(pieces, [(0.75, 4.0), (0.25, 4.0)]);
        assert_eq!((&detail["evidence"][0]["source"]["kind"], &detail["evidence"][0]["source"]["module"]), (&json!("attempt"), &json!("check")));
        // What only the module names is proved by the score of the whole.
        assert_eq!(mastery(&ada, ada.id(), b)["mastery"], 0.5);
        ada.open(&e, "done").expect(200);
        let detail = mastery(&ada, ada.id(), b);
        assert_eq!((&detail["mastery"], &detail["level"], &detail["mastered"]), (&json!(1.0), &json!("mastered"), &json!(true)));
        assert_eq!(detail["evidence"].as_array().unwrap().last().unwrap()["source"]["kind"], "module");
        let list = ada.all(&format!("/v1/users/{}/mastery", ada.id()));
        assert_eq!(list.len(), 2);
        assert_eq!(ada.all(&format!("/v1/users/{}/evidence?competency_id={b}", ada.id())).len(), 3);
    }

    fn what_was_submitted_first_counts_first_whenever_it_is_graded(app) {
        let c = competency(app, "latest");
        let ada = app.user("ada");
        let path = format!("/v1/users/{}/evidence", ada.id());
        let now = app.state.clock.now();
        let at = |days: i64| (now - chrono::TimeDelta::days(days)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        app.admin().post(&path, json!({"competency_id": c, "score": 0.9, "at": at(1)})).expect(201);
        // Graded later, submitted earlier.
        app.admin().post(&path, json!({"competency_id": c, "score": 0.2, "at": at(5)})).expect(201);
        let detail = mastery(&ada, ada.id(), &c);
        assert_eq!(detail["mastery"], 0.9);
        assert_eq!(detail["evidence"].as_array().unwrap().iter().map(|p| p["score"].as_f64().unwrap()).collect::<Vec<_>>(), [0.2, 0.9]);
        let ahead = (now + chrono::TimeDelta::days(1)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        assert_eq!(app.admin().post(&path, json!({"competency_id": c, "score": 0.2, "at": ahead})).faults(), ["/at"]);

        // Decayed in order of submission: 0.2·0.35 + 0.9·0.65.
        app.admin().patch(&format!("/v1/competencies/{c}"), json!({"method": "decaying_average"})).expect(200);
        app.work();
        let value = mastery(&ada, ada.id(), &c)["mastery"].as_f64().unwrap();
        assert!((value - 0.655).abs() < 1e-9, "{value}");
    }

    fn evidence_that_comes_at_the_same_time_is_counted_once_each(app) {
        let c = competency(app, "average");
        let ada = app.user("ada");
        let (path, admin) = (format!("/v1/users/{}/evidence", ada.id()), app.admin().clone());
        std::thread::scope(|scope| {
            for n in 0..8 {
                let (path, admin, c) = (&path, admin.clone(), &c);
                scope.spawn(move || admin.post(path, json!({"competency_id": c, "score": f64::from(n % 2)})).expect(201));
            }
        });
        let detail = mastery(&ada, ada.id(), &c);
        assert_eq!((&detail["mastery"], &detail["evidence_count"]), (&json!(0.5), &json!(8)));
    }

    fn parents_roll_up_to_the_top(app) {
        let (_, ids) = framework(app, json!([
            {"key": "top", "title": "Top", "rollup": "all_required"},
            {"key": "mid", "title": "Mid", "parent": "top", "rollup": {"points": {"needed": 2}}},
            {"key": "side", "title": "Side", "parent": "top", "method": "highest"},
            {"key": "x", "title": "X", "parent": "mid", "method": "highest"}, {"key": "y", "title": "Y", "parent": "mid", "method": "highest"}]));
        let ada = app.user("ada");
        let prove = |id: &str, score: f64| app.admin().post(&format!("/v1/users/{}/evidence", ada.id()), json!({"competency_id": id, "score": score})).expect(201);
        prove(&ids[3], 0.9);
        assert_eq!(mastery(&ada, ada.id(), &ids[1])["mastery"], 0.4);
        assert_eq!(mastery(&ada, ada.id(), &ids[0])["mastery"], Value::Null, "one required child has none");
        prove(&ids[2], 0.85);
        assert_eq!(mastery(&ada, ada.id(), &ids[0])["mastery"], 0.4);
        prove(&ids[4], 0.8);
        let detail = mastery(&ada, ada.id(), &ids[0]);
        assert_eq!((&detail["mastery"], &detail["mastered"]), (&json!(0.85), &json!(true)));
        assert_eq!(detail["formula"], "min(mastery of the required children, each stretched so that its own threshold falls on 0.8); null while one has none");
        assert_eq!(detail["children"].as_array().unwrap().len(), 2);
    }

    fn children_count_by_their_own_thresholds(app) {
        let at = |n: f64| json!([{"name": "mastered", "at_least": n}]);
        let (_, ids) = framework(app, json!([
            {"key": "all", "title": "All", "rollup": "all_required"},
            {"key": "a", "title": "A", "parent": "all", "method": "latest", "levels": at(0.5)}, {"key": "b", "title": "B", "parent": "all", "method": "latest", "levels": at(0.9)},
            {"key": "sum", "title": "Sum", "rollup": {"points": {"needed": 5}}},
            {"key": "four", "title": "Four", "parent": "sum", "method": "latest", "points": 4}, {"key": "one", "title": "One", "parent": "sum", "method": "latest", "points": 1}]));
        let ada = app.user("ada");
        let prove = |n: usize, score: f64| app.admin().post(&format!("/v1/users/{}/evidence", ada.id()), json!({"competency_id": ids[n], "score": score}));
        let is = |n: usize| { let seen = mastery(&ada, ada.id(), &ids[n]); (seen["mastered"].clone(), seen["level"].clone()) };
        let (yes, no) = ((json!(true), json!("mastered")), (json!(false), Value::Null));
        for (a, b, expected) in [(0.6, 0.95, &yes), (0.85, 0.85, &no), (0.5, 0.9, &yes), (0.49, 1.0, &no)] {
            prove(1, a).expect(201);
            prove(2, b).expect(201);
            assert_eq!(is(0), *expected, "{a} and {b}");
        }
        prove(4, 0.9).expect(201);
        assert_eq!(is(3), no, "four of five points");
        prove(5, 0.9).expect(201);
        assert_eq!((is(3), mastery(&ada, ada.id(), &ids[3])["mastery"].clone()), (yes, json!(1.0)));
        // What rolls up takes no evidence of its own, and who left leaves none.
        assert_eq!(prove(0, 1.0).faults(), ["/competency_id"]);
        app.admin().patch(&format!("/v1/users/{}", ada.id()), json!({"state": "left"})).expect(200);
        prove(1, 1.0).problem(409, "wrong_state");
    }

    fn a_right_in_one_course_reaches_what_it_is_about(app) {
        let (_, ids) = framework(app, json!([{"key": "own", "title": "Own"}, {"key": "aim", "title": "Aim"}, {"key": "foreign", "title": "Foreign"}]));
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![assessing("q", "core", &[&ids[0]], json!({}))])]}));
        app.admin().put(&format!("/v1/courses/{course}/targets/{}", ids[1]), json!({"at_least": 0.5})).expect(200);
        let (ada, teacher) = (app.user("ada"), app.user("teacher"));
        app.admin().put(&format!("/v1/courses/{course}/staff/{}", teacher.id()), json!({"role": "instructor"})).ok();
        ada.enroll(&course);
        let get = |who: &Client, id: &str| who.get(&format!("/v1/users/{}/mastery/{id}?course_id={course}", ada.id()));
        let post = |who: &Client, id: &str| who.post(&format!("/v1/users/{}/evidence", ada.id()), json!({"competency_id": id, "score": 1, "course_id": course}));
        for id in &ids[..2] {
            post(&teacher, id).expect(201);
            get(&teacher, id).expect(200);
        }
        assert_eq!(post(&teacher, &ids[2]).faults(), ["/competency_id"]);
        get(&teacher, &ids[2]).problem(404, "not_found");
        for who in [app.admin(), &app.staff("instructor")] {
            post(who, &ids[2]).expect(201);
            get(who, &ids[2]).expect(200);
        }
        get(&ada, &ids[2]).expect(200);
        let nobody = "0199c0de-0000-7000-8000-000000000001";
        assert_eq!(app.admin().get(&format!("/v1/courses/{course}/mastery?framework_id={nobody}&group_id={nobody}")).faults(), ["?framework_id", "?group_id"]);
    }

    fn all_faults_of_a_call_are_named_at_once(app) {
        let nobody = "0199c0de-0000-7000-8000-000000000001";
        let c = competency(app, "highest");
        let bad = json!({"title": "", "competencies": [{"key": "a", "title": "A", "parent": "nowhere"}, {"key": "a", "title": "", "method": "magic"}]});
        assert_eq!(app.admin().post("/v1/frameworks", bad).faults(), [
            "/competencies/0/parent", "/competencies/1/key", "/competencies/1/method", "/competencies/1/title", "/title"]);
        let bad = json!({"title": "", "requirements": [{"competency_id": nobody, "at_least": 0.5}, {"competency_id": c, "at_least": 7}]});
        assert_eq!(app.admin().post("/v1/goals", bad).faults(), ["/requirements/0/competency_id", "/requirements/1/at_least", "/title"]);
        let bad = json!({"title": "", "points": -1, "method": "magic", "parent_id": c});
        assert_eq!(app.admin().patch(&format!("/v1/competencies/{c}"), bad).faults(), ["/method", "/parent_id", "/points", "/title"]);
    }

    fn people_judge_within_their_rights(app) {
        let c = competency(app, "highest");
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![assessing("q", "core", &[&c], json!({}))])]}));
        let (ada, eve, teacher) = (app.user("ada"), app.user("eve"), app.user("teacher"));
        app.admin().put(&format!("/v1/courses/{course}/staff/{}", teacher.id()), json!({"role": "instructor"})).ok();
        ada.enroll(&course);
        let path = format!("/v1/users/{}/evidence", ada.id());
        teacher.post(&path, json!({"competency_id": c, "score": 1})).problem(404, "not_found");
        let made = teacher.post(&path, json!({"competency_id": c, "score": 1, "course_id": course, "note": "Seen."})).expect(201);
        assert_eq!((&made["source"]["kind"], &made["note"]), (&json!("person"), &json!("Seen.")));
        teacher.post(&format!("/v1/users/{}/evidence", eve.id()), json!({"competency_id": c, "score": 1, "course_id": course})).problem(404, "not_found");
        ada.post(&path, json!({"competency_id": c, "score": 1})).problem(403, "forbidden");
        eve.get(&format!("/v1/users/{}/mastery", ada.id())).problem(404, "not_found");
        assert_eq!(teacher.all(&format!("/v1/users/{}/mastery?course_id={course}", ada.id())).len(), 1);
        teacher.get(&format!("/v1/users/{}/mastery", ada.id())).problem(404, "not_found");
        let faults = app.admin().post(&path, json!({"competency_id": "0199c0de-0000-7000-8000-000000000001", "score": 1})).faults();
        assert_eq!(faults, ["/competency_id"]);
        assert_eq!(app.admin().post(&path, json!({"competency_id": c, "score": 1.5, "weight": 0})).faults(), ["/score", "/weight"]);
        ada.delete(&format!("/v1/evidence/{}", made.id())).problem(403, "forbidden");
        eve.delete(&format!("/v1/evidence/{}", made.id())).problem(404, "not_found");
        teacher.delete(&format!("/v1/evidence/{}", made.id())).expect(204);
        assert_eq!(mastery(&ada, ada.id(), &c)["mastery"], Value::Null);
        let export = ada.get(&format!("/v1/users/{}/export", ada.id())).expect(200);
        assert!(export["data"]["mastery"].is_array(), "what is held on a person includes mastery");
    }

    fn the_linter_refuses_competencies_that_do_not_exist(app) {
        let nobody = "0199c0de-0000-7000-8000-000000000001";
        let c = competency(app, "highest");
        let mut late = article("late");
        late["when"] = json!({"any": [{"competency": {"id": nobody, "at_least": 0.5}}, {"competency": {"id": c, "at_least": "expert"}}, {"behind": {"competency": nobody, "days": 3}}]});
        let mut first = assessing("q", "core", &[nobody], json!({}));
        first["competencies"] = json!([{"id": nobody}]);
        let course = app.admin().post("/v1/courses", json!({"title": "T", "style": "dynamic_branching"})).expect(201).id();
        app.admin().put(&format!("/v1/courses/{course}/outline"), json!({"stages": [sequence("s", "linear", vec![first, late])]})).expect(200);
        let report = app.admin().post(&format!("/v1/courses/{course}/lint"), json!({})).expect(200);
        let mut found: Vec<String> = report["errors"].as_array().unwrap().iter().map(|f| format!("{} {}", f["pointer"].as_str().unwrap(), f["code"].as_str().unwrap())).collect();
        found.sort();
        found.dedup();
        assert_eq!(found, [
            "/stages/0/modules/0/competencies/0/id unknown_competency", "/stages/0/modules/0/content/items/0/competencies/0/id unknown_competency",
            "/stages/0/modules/1/when unknown_competency", "/stages/0/modules/1/when unknown_level"]);
        app.admin().post(&format!("/v1/courses/{course}/publish"), json!({})).problem(422, "lint_failed");
    }

    fn coverage_shows_what_is_taught_and_assessed(app) {
        let (_, ids) = framework(app, json!([{"key": "a", "title": "A"}, {"key": "b", "title": "B"}, {"key": "c", "title": "C"}]));
        let mut read = article("read");
        read["competencies"] = json!([{"id": ids[0]}]);
        let outline = json!({"stages": [sequence("s", "linear", vec![read, assessing("q", "core", &[&ids[0], &ids[1]], json!({}))])]});
        let course = app.course("linear_autoplay", &outline);
        app.admin().put(&format!("/v1/courses/{course}/targets/{}", ids[2]), json!({"at_least": 0.8})).expect(200);
        for query in ["", "?revision=1"] {
            let out = app.admin().get(&format!("/v1/courses/{course}/coverage{query}")).expect(200);
            let status: Vec<(&str, &str)> = out["items"].as_array().unwrap().iter().map(|i| (i["key"].as_str().unwrap(), i["status"].as_str().unwrap())).collect();
            assert_eq!(status, [("a", "covered"), ("b", "assessed_only"), ("c", "none")]);
            assert_eq!((&out["items"][0]["taught_by"], &out["items"][2]["target"], &out["covered_percent"]), (&json!(["read"]), &json!(true), &json!(33.33)));
        }
        app.user("eve").get(&format!("/v1/courses/{course}/coverage")).problem(403, "forbidden");
    }
}
