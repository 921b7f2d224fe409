//! What follows when competencies and their tree change, and who sees what of mastery.

use std::sync::Barrier;

use crate::competencies::{assessing, competency, framework, mastery};
use crate::competencies_paths::{told, with};
use crate::support::factory::{article, quiz, right, sequence};
use crate::support::{Answer, Client, TestApp, Value, json};

const DAY: i64 = 86_400;

/// A parent that requires two children, and somebody who reached 0.9 and 0.5 in them, and somebody who reached 0.9 in the first alone.
struct Family<'a> {
    app: &'a TestApp,
    framework: String,
    ids: Vec<String>,
    both: Client,
    one: Client,
}

impl<'a> Family<'a> {
    fn new(app: &'a TestApp) -> Self {
        let child = |key: &str| json!({"key": key, "title": key, "parent": "p", "method": "latest"});
        let (framework, ids) =
            framework(app, json!([{"key": "p", "title": "p", "rollup": "all_required"}, child("a"), child("b")]));
        let family = Self { app, framework, ids, both: app.user("both"), one: app.user("one") };
        family.prove(&family.both, 1, 0.9);
        family.prove(&family.both, 2, 0.5);
        family.prove(&family.one, 1, 0.9);
        assert_eq!(family.seen(), (json!(0.5), Value::Null));
        family
    }

    fn prove(&self, who: &Client, n: usize, score: f64) {
        let evidence = json!({"competency_id": self.ids[n], "score": score});
        self.app.admin().post(&format!("/v1/users/{}/evidence", who.id()), evidence).expect(201);
    }

    /// What the two master of the parent once the work is done.
    fn seen(&self) -> (Value, Value) {
        self.app.work();
        let of = |who: &Client| mastery(who, who.id(), &self.ids[0])["mastery"].clone();
        (of(&self.both), of(&self.one))
    }

    fn import(&self, rows: &str) {
        let path = format!("/v1/frameworks/import?framework_id={}&title=F", self.framework);
        let table = format!("key,title,parent\np,p,\n{rows}");
        self.app.admin().send("POST", &path, &[("content-type", "text/csv")], Some(table.as_bytes())).expect(200);
    }
}

both! {
    fn a_parent_is_reckoned_again_whatever_changes_below_it(app) {
        let (nine, null) = (json!(0.9), Value::Null);
        for rows in ["a,a,p\n", "a,a,p\nb,b,\n"] {
            let family = Family::new(app);
            family.import(rows);
            assert_eq!(family.seen(), (nine.clone(), nine.clone()), "after {rows}");
            family.import("a,a,p\nb,b,p\n");
            assert_eq!(family.seen(), (json!(0.5), null.clone()), "and back");
        }
        let family = Family::new(app);
        family.import("a,a,p\nb,b,p\nc,c,p\n");
        assert_eq!(family.seen(), (null.clone(), null.clone()), "a new one is required");

        let family = Family::new(app);
        let made = app.admin().post("/v1/competencies", json!({"framework_id": family.framework, "key": "d", "title": "d", "parent_id": family.ids[0]})).expect(201);
        assert_eq!(family.seen(), (null.clone(), null.clone()));
        app.admin().delete(&format!("/v1/competencies/{}", made.id())).expect(204);
        assert_eq!(family.seen(), (json!(0.5), null));

        for change in [json!({"retired": true}), json!({"parent_id": null}), json!({"required": false})] {
            let family = Family::new(app);
            app.admin().patch(&format!("/v1/competencies/{}", family.ids[2]), change).expect(200);
            let weakest = family.seen();
            assert_eq!(weakest.1, nine, "of whom nothing was known of the parent");
            assert_eq!(weakest.0, nine);
        }
    }

    fn an_import_opens_what_waits_for_the_parent(app) {
        let family = Family::new(app);
        let outline = json!({"stages": [sequence("s", "any", vec![article("a"),
            with(article("late"), json!({"when": {"competency": {"id": family.ids[0], "at_least": "mastered"}}}))])]});
        let course = app.course("dynamic_branching", &outline);
        let e = family.both.enroll(&course);
        assert_eq!(family.both.states(&e)["late"], "locked");
        family.import("a,a,p\n");
        app.work();
        assert_eq!(family.both.states(&e)["late"], "available");
    }

    fn a_course_shows_its_own_evidence_only(app) {
        let (_, ids) = framework(app, json!([{"key": "a", "title": "A", "method": "latest"}, {"key": "z", "title": "Z", "method": "latest"}]));
        let outline = json!({"stages": [sequence("s", "linear", vec![assessing("q", "core", &[&ids[0]], json!({}))])]});
        let (own, other) = (app.course("linear_autoplay", &outline), app.course("linear_autoplay", &outline));
        let (ada, teacher) = (app.user("ada"), app.user("teacher"));
        app.admin().put(&format!("/v1/courses/{own}/staff/{}", teacher.id()), json!({"role": "instructor"})).ok();
        ada.enroll(&own);
        let e = ada.enroll(&other);
        let record = |who: &Client, id: &str, course: Value, note: &str| who.post(&format!("/v1/users/{}/evidence", ada.id()),
            json!({"competency_id": id, "score": 0.5, "note": note, "course_id": course})).expect(201);
        record(app.admin(), &ids[0], Value::Null, "of nowhere");
        record(app.admin(), &ids[0], json!(other), "of elsewhere");
        ada.attempt(&e, "q", &right());
        record(&teacher, &ids[0], json!(own), "of here");
        let path = format!("/v1/users/{}/mastery/{}", ada.id(), ids[0]);
        let seen = teacher.get(&format!("{path}?course_id={own}")).expect(200);
        let notes: Vec<_> = seen["evidence"].as_array().unwrap().iter().map(|piece| piece["note"].clone()).collect();
        assert_eq!((notes, &seen["mastery"], &seen["evidence_count"]), (vec![json!("of here")], &json!(0.5), &json!(4)));
        assert!(!seen.text().contains(&other));
        assert_eq!(ada.get(&path).expect(200)["evidence"].as_array().unwrap().len(), 4);

        // To require a competency does not let anybody see more.
        record(app.admin(), &ids[1], Value::Null, "secret");
        let target = |who: &Client, id: &str| who.put(&format!("/v1/courses/{own}/targets/{id}"), json!({"at_least": 0.5}));
        let refused = target(&teacher, &ids[1]).problem(422, "validation_failed");
        assert_eq!(refused["errors"][0]["code"], "not_in_course");
        teacher.get(&format!("/v1/users/{}/mastery/{}?course_id={own}", ada.id(), ids[1])).problem(404, "not_found");
        target(&teacher, &ids[0]).ok();
        target(app.admin(), &ids[1]).ok();
        target(&teacher, &ids[1]).ok();
        let seen = teacher.get(&format!("/v1/users/{}/mastery/{}?course_id={own}", ada.id(), ids[1])).expect(200);
        assert_eq!(seen["evidence"], json!([]));
    }

    fn a_new_generation_is_told_of_anew(app) {
        let c = competency(app, "latest");
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![article("x")])]}));
        app.admin().put(&format!("/v1/courses/{course}/targets/{c}"), json!({"at_least": 0.8, "due_days": 2, "behind_days": 1})).expect(200);
        let ada = app.user("ada");
        let crossings = || { app.work(); told(app, "competency.behind").len() };
        let e = ada.enroll(&course);
        app.advance(4 * DAY);
        assert_eq!(crossings(), 1);
        ada.post(&format!("/v1/enrollments/{e}/withdraw"), json!({})).ok();
        app.advance(DAY);
        let second = ada.enroll(&course);
        assert_eq!(crossings(), 1);
        app.advance(4 * DAY);
        assert_eq!(crossings(), 2);
        app.advance(4 * DAY);
        assert_eq!(crossings(), 2, "once");
        assert_eq!(told(app, "competency.behind")[1]["enrollment_id"], json!(second));
    }

    fn who_is_away_is_not_behind(app) {
        let c = competency(app, "latest");
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![article("x")])]}));
        app.admin().put(&format!("/v1/courses/{course}/targets/{c}"), json!({"at_least": 0.8, "due_days": 1, "behind_days": 1})).expect(200);
        let goal = app.admin().post("/v1/goals", json!({"title": "Lead", "requirements": [{"competency_id": c, "at_least": 0.8, "due_days": 1, "behind_days": 1}]})).expect(201).id();
        let people: Vec<Client> = ["here", "left", "suspended"].iter().map(|name| app.user(name)).collect();
        for who in &people {
            who.enroll(&course);
            app.admin().put(&format!("/v1/goals/{goal}/learners/{}", who.id()), json!({})).expect(200);
        }
        for (who, state) in people[1..].iter().zip(["left", "suspended"]) {
            app.admin().patch(&format!("/v1/users/{}", who.id()), json!({"state": state})).expect(200);
        }
        app.advance(3 * DAY);
        app.work();
        let behind = || app.admin().all(&format!("/v1/courses/{course}/behind")).len();
        assert_eq!((behind(), told(app, "competency.behind").len()), (1, 2), "in the course and for the goal");
        app.admin().patch(&format!("/v1/users/{}", people[1].id()), json!({"state": "active"})).expect(200);
        app.advance(301);
        app.work();
        assert_eq!((behind(), told(app, "competency.behind").len()), (2, 4), "who is back is told of");
    }

    fn a_simulated_completion_stays(app) {
        let c = competency(app, "highest");
        let outline = json!({"stages": [sequence("s", "any", vec![article("a"),
            with(article("more"), json!({"role": "advanced", "unmet": "hide", "when": {"competency": {"id": c, "at_least": 0.8}}}))])]});
        let course = app.course("dynamic_branching", &outline);
        let told = app.admin().post(&format!("/v1/courses/{course}/simulate"), json!({"steps": [{"complete": "a"}, {"prove": {"competency": c, "score": 1}}]})).expect(200);
        assert_eq!((&told["progress"]["percent"], &told["next"], &told["complete"]), (&json!(100.0), &json!([]), &json!(true)));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.open(&e, "a").expect(200);
        app.admin().post(&format!("/v1/users/{}/evidence", ada.id()), json!({"competency_id": c, "score": 1})).expect(201);
        let path = ada.get(&format!("/v1/enrollments/{e}/path")).expect(200);
        assert_eq!((&path["progress"], &path["next"]), (&told["progress"], &told["next"]), "as in life");
        assert_eq!((&told["states"]["more"], ada.states(&e)["more"].as_str()), (&json!("available"), "available"));
    }

    fn what_opens_a_lock_can_be_done(app) {
        let c = competency(app, "latest");
        let item = |key: &str| json!({"key": key, "type": "true_false", "prompt": "?", "answer": true, "competencies": [{"id": c}]});
        let graded = quiz("q", "core", json!({"pass_percent": 0, "items": [item("one"), item("two")]}));
        let asks = |at_least: f64| json!({"competency": {"id": c, "at_least": at_least}});
        let outline = json!({"stages": [
            sequence("s", "any", vec![graded, with(article("locked"), json!({"when": asks(0.8)})), with(article("known"), json!({"waive_when": asks(0.4)})),
                with(article("calm"), json!({"role": "optional", "when": {"not": {"behind": {"competency": c, "days": 1}}}}))]),
            sequence("t", "any", vec![article("then")])]});
        let course = app.course("dynamic_branching", &outline);
        app.admin().put(&format!("/v1/courses/{course}/targets/{c}"), json!({"at_least": 0.8, "due_days": 1})).expect(200);
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let access = |key: &str| ada.get(&format!("/v1/enrollments/{e}/modules/{key}/access")).expect(200).json;
        ada.attempt(&e, "q", &json!({"one": true, "two": false}));
        let again = json!([{"do": "retake_module", "module": "q"}]);
        assert_eq!((&access("locked")["actions"], &access("then")["actions"]), (&again, &again), "it is complete already");
        app.advance(3 * DAY);
        let calm = access("calm");
        assert_eq!((&calm["state"], &calm["actions"], &calm["opens_at"]), (&json!("locked"), &again, &Value::Null));

        let known = access("known");
        assert_eq!((&known["state"], &known["reasons"][0]["leaf"], &known["reasons"][0]["met"]), (&json!("waived"), &json!("competency"), &json!(true)), "why it need not be done");
        app.admin().post(&format!("/v1/enrollments/{e}/modules/then/overrides"), json!({"kind": "waive"})).expect(200);
        let then = access("then");
        assert_eq!((&then["state"], &then["reasons"][0]["leaf"]), (&json!("waived"), &json!("waived")));
    }

    fn each_competency_gives_points_once_wherever_it_is_mastered(app) {
        let (_, ids) = framework(app, json!([{"key": "a", "title": "A", "method": "latest"}, {"key": "b", "title": "B", "method": "latest"}, {"key": "c", "title": "C", "method": "latest"}]));
        let outline = json!({"stages": [sequence("s", "linear", vec![assessing("one", "core", &[&ids[0]], json!({})), assessing("two", "core", &[&ids[1]], json!({}))])]});
        let course = app.course("linear_autoplay", &outline);
        let rules = json!([{"event": "competency.mastered", "points": 10, "repeat": "each"}]);
        let made = app.admin().post("/v1/games", json!({"title": "G", "point_rules": rules})).expect(201).id();
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let prove = |n: usize, score: f64| drop(app.admin().post(&format!("/v1/users/{}/evidence", ada.id()), json!({"competency_id": ids[n], "score": score})).expect(201));
        let entries = || { app.dispatch(); app.admin().all(&format!("/v1/games/{made}/ledger")).len() };
        ada.attempt(&e, "one", &right());
        ada.attempt(&e, "two", &right());
        assert_eq!(entries(), 2, "two of one course");
        prove(2, 1.0);
        assert_eq!(entries(), 3);
        prove(0, 0.1);
        prove(0, 1.0);
        assert_eq!(entries(), 3, "mastered again, elsewhere");
    }

    fn a_level_that_something_names_neither_goes_nor_rises(app) {
        let c = competency(app, "latest");
        let levels = |list: Value| app.admin().patch(&format!("/v1/competencies/{c}"), json!({"levels": list}));
        let named = |answer: Answer| answer.problem(409, "in_use")["named_by"].clone();
        let gold = || json!([{"name": "gold", "at_least": 0.6}]);
        levels(json!([{"name": "mastered", "at_least": 0.85}])).expect(200);
        let outline = json!({"stages": [sequence("s", "any", vec![article("a"), with(article("more"), json!({"when": {"competency": {"id": c, "at_least": "mastered"}}}))])]});
        let course = app.course("dynamic_branching", &outline);
        let of_course = json!({"kind": "revision", "id": course, "revision": 1, "level": "mastered"});
        assert_eq!(named(levels(gold())), json!([of_course]));
        assert_eq!(named(levels(json!([{"name": "mastered", "at_least": 0.9}]))), json!([of_course]));
        levels(json!([{"name": "mastered", "at_least": 0.7}, {"name": "gold", "at_least": 0.9}])).expect(200);
        let goal = app.admin().post("/v1/goals", json!({"title": "Lead", "requirements": [{"competency_id": c, "at_least": "gold"}]})).expect(201).id();
        assert_eq!(named(levels(json!([{"name": "mastered", "at_least": 0.7}]))), json!([{"kind": "goal_target", "id": goal, "level": "gold"}]));
        // Who began by a revision that names it rests on it, also when there is a newer one.
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        app.admin().put(&format!("/v1/courses/{course}/outline"), json!({"stages": [sequence("s", "any", vec![article("a"), with(article("more"), json!({"when": {"competency": {"id": c, "at_least": 0.5}}}))])]})).expect(200);
        app.admin().post(&format!("/v1/courses/{course}/publish"), json!({})).ok();
        let last = || levels(json!([{"name": "gold", "at_least": 0.9}]));
        assert_eq!(named(last()), json!([of_course]));
        ada.post(&format!("/v1/enrollments/{e}/withdraw"), json!({})).ok();
        last().expect(200);
    }

    fn the_linter_names_what_can_never_count(app) {
        let (_, ids) = framework(app, json!([{"key": "p", "title": "P", "rollup": "all_required"}, {"key": "a", "title": "A", "parent": "p"}]));
        let outline = json!({"stages": [sequence("s", "any", vec![
            assessing("q", "core", &[&ids[0]], json!({})), with(quiz("r", "core", json!({})), json!({"competencies": [{"id": ids[0]}, {"id": ids[1]}]})),
            with(article("t"), json!({"competencies": [{"id": ids[0]}]})),
            with(article("late"), json!({"role": "optional", "when": {"behind": {"competency": ids[1], "days": 1}}}))])]});
        let course = app.course("dynamic_branching", &outline);
        let found = || {
            let linted = app.admin().post(&format!("/v1/courses/{course}/lint"), json!({})).expect(200);
            assert_eq!(linted["errors"], json!([]));
            let all: Vec<String> = linted["warnings"].as_array().unwrap().iter().map(|w| format!("{} {}", w["pointer"].as_str().unwrap(), w["code"].as_str().unwrap())).collect();
            all
        };
        let rolls_up = ["/stages/0/modules/0/content/items/0/competencies/0/id rolls_up", "/stages/0/modules/1/competencies/0/id rolls_up"];
        assert_eq!(found(), [rolls_up[0], rolls_up[1], "/stages/0/modules/3/when never_due"]);
        app.admin().put(&format!("/v1/courses/{course}/targets/{}", ids[1]), json!({"at_least": 0.8, "due_days": 1})).expect(200);
        assert_eq!(found(), rolls_up);
    }

    fn the_same_method_keeps_its_numbers(app) {
        let c = competency(app, "latest");
        let patch = |members: Value| app.admin().patch(&format!("/v1/competencies/{c}"), members).expect(200)["params"].clone();
        assert_eq!(patch(json!({"method": "n_mastery", "params": {"n": 2}}))["n"], 2);
        assert_eq!(patch(json!({"method": "n_mastery"}))["n"], 2);
        assert_eq!(patch(json!({"method": "n_mastery", "params": null})), json!({}));
        assert_eq!(patch(json!({"params": {"n": 4}}))["n"], 4);
        assert_eq!(patch(json!({"method": "latest"})), json!({}), "another one begins anew");
    }

    fn what_is_all_taken_back_is_not_listed(app) {
        let c = competency(app, "latest");
        let ada = app.user("ada");
        let made = app.admin().post(&format!("/v1/users/{}/evidence", ada.id()), json!({"competency_id": c, "score": 1})).expect(201);
        let listed = || ada.all(&format!("/v1/users/{}/mastery", ada.id())).len();
        assert_eq!(listed(), 1);
        app.admin().delete(&format!("/v1/evidence/{}", made.id())).expect(204);
        assert_eq!(listed(), 0);
    }

    fn first_imports_of_one_package_at_once_make_one_framework(app) {
        let node = |id: &str| json!({"title": id, "identifier": id, "uri": "u"});
        let package = json!({
            "CFDocument": {"identifier": "5f3a", "uri": "u", "title": "Care"},
            "CFItems": [{"identifier": "a", "uri": "u", "fullStatement": "A"}],
            "CFAssociations": [{"identifier": "l", "uri": "u", "associationType": "isChildOf", "originNodeURI": node("a"), "destinationNodeURI": node("5f3a")}]});
        let bytes = serde_json::to_vec(&package).unwrap();
        let start = Barrier::new(6);
        let answers: Vec<Answer> = std::thread::scope(|scope| {
            let calls: Vec<_> = (0..6).map(|_| scope.spawn(|| {
                start.wait();
                app.admin().send("POST", "/v1/frameworks/import", &[("content-type", "application/json")], Some(&bytes))
            })).collect();
            calls.into_iter().map(|call| call.join().expect("an answer")).collect()
        });
        let added: i64 = answers.into_iter().map(|answer| answer.expect(200)["added"].as_i64().unwrap()).sum();
        assert_eq!((added, app.admin().all("/v1/frameworks").len()), (1, 1));
    }
}
