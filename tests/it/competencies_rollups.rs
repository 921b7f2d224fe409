//! Competencies that roll up: what counts for them is suggested, due, covered and named as what to do.

use crate::competencies::{assessing, framework};
use crate::competencies_paths::with;
use crate::support::factory::{article, right, sequence};
use crate::support::json;

both! {
    fn what_counts_for_a_competency_closes_its_gap(app) {
        let (_, ids) = framework(app, json!([
            {"key": "par", "title": "Par", "rollup": "all_required"}, {"key": "mid", "title": "Mid", "parent": "par", "rollup": {"points": {"needed": 1}}},
            {"key": "kid", "title": "Kid", "parent": "mid", "method": "latest"}, {"key": "not", "title": "Not", "parent": "par", "required": false}]));
        let (par, kid, not) = (ids[0].as_str(), ids[2].as_str(), ids[3].as_str());
        let outline = json!({"stages": [sequence("s", "any", vec![
            with(article("kt"), json!({"competencies": [{"id": kid}]})),
            assessing("kq", "core", &[kid], json!({"pass_percent": 0})),
            with(article("nt"), json!({"competencies": [{"id": not}]})),
            with(article("after"), json!({"when": {"competency": {"id": par, "at_least": "mastered"}}})),
            with(article("help"), json!({"role": "optional", "when": {"behind": {"competency": par, "days": 5}}}))])]});
        let course = app.course("dynamic_branching", &outline);
        app.admin().put(&format!("/v1/courses/{course}/targets/{par}"), json!({"at_least": 0.8, "due_days": 1})).expect(200);
        let goal = app.admin().post("/v1/goals", json!({"title": "Lead", "requirements": [{"competency_id": par, "at_least": 0.8}]})).expect(201).id();
        let ada = app.user("ada");
        app.admin().put(&format!("/v1/goals/{goal}/learners/{}", ada.id()), json!({})).expect(200);
        let e = ada.enroll(&course);
        let targets = || ada.get(&format!("/v1/enrollments/{e}/targets")).expect(200)["items"][0]["suggested_modules"].clone();
        let access = || ada.get(&format!("/v1/enrollments/{e}/modules/after/access")).expect(200).json;
        assert_eq!(targets(), json!(["kt", "kq"]));
        assert_eq!(access()["actions"], json!([{"do": "pass_module", "module": "kq"}]));
        app.advance(2 * 86_400);
        assert_eq!(app.admin().all(&format!("/v1/courses/{course}/behind"))[0]["suggested_modules"], json!(["kt", "kq"]));
        let next = ada.get(&format!("/v1/enrollments/{e}/next")).expect(200);
        let due: Vec<_> = next["items"].as_array().unwrap().iter().filter(|step| step["reason"] == "due").map(|step| step["module"].clone()).collect();
        assert_eq!(due, [json!("kt"), json!("kq")]);
        let goals = ada.get(&format!("/v1/users/{}/goals", ada.id())).expect(200);
        let courses = &goals["items"][0]["requirements"][0]["courses"];
        assert_eq!((&courses[0]["course_id"], &courses[0]["teaches"], &courses[0]["assesses"]), (&json!(course), &json!(true), &json!(true)));

        let coverage = app.admin().get(&format!("/v1/courses/{course}/coverage?revision=1")).expect(200);
        let items = coverage["items"].as_array().unwrap();
        let of = |id: &str| items.iter().find(|item| item["competency_id"] == id).unwrap();
        assert_eq!((&of(par)["taught_by"], &of(par)["assessed_by"]), (&json!(["kt"]), &json!(["kq"])));
        assert_eq!((&of(par)["status"], &of(par)["target"], &of(not)["status"]), (&json!("covered"), &json!(true), &json!("taught_only")));

        ada.attempt(&e, "kq", &right());
        assert_eq!((targets(), &access()["state"]), (json!([]), &json!("available")), "the gap is closed");
        assert!(ada.get(&format!("/v1/users/{}/goals", ada.id())).expect(200)["items"][0]["requirements"][0]["courses"].as_array().unwrap().is_empty());
    }

    fn mastery_that_a_raised_threshold_takes_has_no_date(app) {
        let (_, ids) = framework(app, json!([{"key": "par", "title": "Par", "rollup": "all_required"}, {"key": "kid", "title": "Kid", "parent": "par", "method": "latest"}]));
        let ada = app.user("ada");
        app.admin().post(&format!("/v1/users/{}/evidence", ada.id()), json!({"competency_id": ids[1], "score": 0.85})).expect(201);
        let dates = || ids.iter().map(|id| {
            let seen = ada.get(&format!("/v1/users/{}/mastery/{id}", ada.id())).expect(200);
            assert_eq!(seen["mastered"].as_bool().unwrap(), !seen["mastered_at"].is_null());
            seen["mastered_at"].clone()
        }).collect::<Vec<_>>();
        let raise = |at_least: f64| app.admin().patch(&format!("/v1/competencies/{}", ids[1]), json!({"levels": [{"name": "mastered", "at_least": at_least}]})).expect(200);
        let told = |kind: &'static str| crate::competencies_paths::told(app, kind).len();
        assert!(dates().iter().all(|date| date.is_string()));
        raise(0.9);
        assert!(dates()[1].is_null(), "at once");
        app.work();
        assert!(dates().iter().all(|date| date.is_null()));
        assert_eq!((told("competency.mastered"), told("competency.lost")), (2, 2));
        let list = ada.all(&format!("/v1/users/{}/mastery", ada.id()));
        assert!(list.iter().all(|row| row["mastered_at"].is_null() && row["mastered"] == false));
        app.advance(60);
        raise(0.8);
        app.work();
        assert!(dates().iter().all(|date| date.is_string()), "and with a lower one it is mastered anew");
    }

    fn whoever_no_branch_lets_in_and_whoever_is_on_another_way(app) {
        let c = crate::competencies::competency(app, "latest");
        let asks = |n: f64| json!({"competency": {"id": c, "at_least": n}});
        let branch = |key: &str, n: f64| json!({"key": key, "title": key, "when": asks(n), "modules": [article(key), article(&format!("{key}-2"))]});
        let outline = json!({"stages": [sequence("s", "linear", vec![assessing("p", "core", &[&c], json!({"pass_percent": 0}))]),
            {"kind": "choice", "key": "way", "choose": "one", "route": "auto", "branches": [branch("high", 0.9), branch("low", 0.5)]}]});
        let course = app.course("dynamic_branching", &outline);
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.attempt(&e, "p", &json!({"q": ["b"]}));
        let next = || ada.get(&format!("/v1/enrollments/{e}/next")).expect(200)["items"].clone();
        assert_eq!(next(), json!([{"module": "p", "reason": "remedial", "autoplay": false}]));
        app.admin().post(&format!("/v1/users/{}/evidence", ada.id()), json!({"competency_id": c, "score": 0.6})).expect(201);
        assert_eq!(next()[0]["module"], "low");
        let high = |key: &str| ada.get(&format!("/v1/enrollments/{e}/modules/{key}/access")).expect(200).json;
        assert_eq!(high("high")["actions"], json!([{"do": "retake_module", "module": "p"}]));
        ada.open(&e, "low").expect(200);
        for key in ["high", "high-2"] {
            assert_eq!((&high(key)["state"], &high(key)["actions"]), (&json!("not_chosen"), &json!([])), "the other is begun");
        }
    }

    fn a_core_module_that_waits_for_what_the_course_is_not_about_is_named(app) {
        let (_, ids) = framework(app, json!([{"key": "par", "title": "Par", "rollup": "all_required"}, {"key": "kid", "title": "Kid", "parent": "par"}, {"key": "other", "title": "Other"}]));
        let waits = |id: &str| json!({"stages": [sequence("s", "linear", vec![
            with(article("text"), json!({"competencies": [{"id": ids[1]}]})), with(article("wait"), json!({"when": {"competency": {"id": id, "at_least": 0.5}}}))])]});
        for (id, expected) in [(&ids[0], vec![]), (&ids[1], vec![]), (&ids[2], vec!["unproved_competency"])] {
            let course = app.course("dynamic_branching", &waits(id));
            let linted = app.admin().post(&format!("/v1/courses/{course}/lint"), json!({})).expect(200);
            let codes: Vec<_> = linted["warnings"].as_array().unwrap().iter().map(|w| w["code"].as_str().unwrap()).collect();
            assert_eq!(codes, expected);
        }
    }
}
