//! What mastery opens and closes: adaptive paths, corrections, due dates, simulation, practice.

use cairn::db::schema::events;
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};

use crate::competencies::{assessing, competency, framework, mastery};
use crate::support::factory::{article, quiz, right, sequence};
use crate::support::{Client, TestApp, Value, json};

const DAY: i64 = 86_400;

pub fn with(mut module: Value, members: Value) -> Value {
    module.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    module
}

pub fn hidden_unless(key: &str, role: &str, when: Value) -> Value {
    with(article(key), json!({"role": role, "when": when, "unmet": "hide"}))
}

/// Two questions that both evaluate one competency.
fn pair(key: &str, role: &str, competency: &str, pass_percent: u32) -> Value {
    let item = |key: &str| json!({"key": key, "type": "true_false", "prompt": "?", "answer": true, "competencies": [{"id": competency}]});
    quiz(key, role, json!({"pass_percent": pass_percent, "items": [item("one"), item("two")]}))
}

fn answers(right: u32) -> Value {
    json!({"one": right > 0, "two": right > 1})
}

/// What was told of this kind, in order: details.
pub fn told(app: &TestApp, kind: &'static str) -> Vec<Value> {
    app.state
        .db
        .read_here(|conn| {
            Ok(events::table.filter(events::kind.eq(kind)).order(events::seq).select(events::data).load(conn)?)
        })
        .unwrap()
}

fn access(who: &Client, enrollment: &str, module: &str) -> Value {
    who.get(&format!("/v1/enrollments/{enrollment}/modules/{module}/access")).expect(200).json
}

/// A course that uses remedial-first, test-out, auto-routing and advanced-on-mastery.
fn adaptive(app: &TestApp) -> (String, String, String) {
    let (_, ids) = framework(
        app,
        json!([{"key": "basics", "title": "Basics", "method": "latest"}, {"key": "craft", "title": "Craft", "method": "highest"}]),
    );
    let (basics, craft) = (ids[0].clone(), ids[1].clone());
    let at_least = |id: &str, n: Value| json!({"competency": {"id": id, "at_least": n}});
    let outline = json!({"stages": [
        sequence("start", "linear", vec![
            pair("entry", "core", &basics, 0),
            hidden_unless("help", "remedial", json!({"not": at_least(&basics, json!(0.5))})),
            with(article("lesson"), json!({"waive_when": at_least(&basics, json!(0.9)), "competencies": [{"id": basics}]})),
            pair("check", "core", &craft, 50)]),
        {"kind": "choice", "key": "way", "choose": "one", "route": "auto", "branches": [
            {"key": "fast", "title": "Fast", "when": at_least(&craft, json!(0.9)), "modules": [article("project")]},
            {"key": "normal", "title": "Normal", "modules": [article("drill")]}]},
        sequence("end", "linear", vec![hidden_unless("more", "advanced", at_least(&basics, json!("mastered"))), article("last")])]});
    (app.course("dynamic_branching", &outline), basics, craft)
}

/// Takes whatever is next until nothing is; what was taken, each with its reason.
fn walk(learner: &Client, enrollment: &str, entry: u32, check: u32) -> Vec<(String, String)> {
    let mut taken = Vec::new();
    for _ in 0..20 {
        let next = learner.get(&format!("/v1/enrollments/{enrollment}/next")).expect(200)["items"][0].clone();
        let Some(module) = next["module"].as_str() else { break };
        match module {
            "entry" => drop(learner.attempt(enrollment, module, &answers(entry))),
            "check" => drop(learner.attempt(enrollment, module, &answers(check))),
            _ => drop(learner.open(enrollment, module).expect(200)),
        }
        taken.push((module.to_owned(), next["reason"].as_str().unwrap().to_owned()));
    }
    taken
}

both! {
    fn three_kinds_of_learner_walk_three_paths_and_all_arrive(app) {
        let (course, basics, craft) = adaptive(app);
        let mut paths = Vec::new();
        for (name, entry, check, expected) in [
            ("struggling", 0, 1, vec!["entry", "help", "lesson", "check", "drill", "last"]),
            ("average", 1, 1, vec!["entry", "lesson", "check", "drill", "last"]),
            ("expert", 2, 2, vec!["entry", "check", "project", "more", "last"]),
        ] {
            let learner = app.user(name);
            let e = learner.enroll(&course);
            let taken = walk(&learner, &e, entry, check);
            assert_eq!(taken.iter().map(|(module, _)| module.as_str()).collect::<Vec<_>>(), expected, "{name}");
            let seen = learner.get(&format!("/v1/enrollments/{e}")).expect(200);
            assert_eq!((&seen["status"], &seen["progress"]["percent"]), (&json!("completed"), &json!(100.0)), "{name}");
            paths.push((learner, e, taken));
        }
        let (struggling, s, taken) = &paths[0];
        assert_eq!(taken[1].1, "remedial", "what helps comes first");
        // Every path is explained, for whoever may ask.
        for who in [struggling, app.admin()] {
            let project = access(who, s, "project");
            assert_eq!(project["state"], "not_chosen");
            let leaf = project["reasons"].as_array().unwrap().iter().find(|r| r["leaf"] == "competency").unwrap();
            assert_eq!((&leaf["key"], &leaf["required"], &leaf["actual"]["mastery"], &leaf["met"]), (&json!(craft), &json!({"at_least": 0.9}), &json!(0.5), &json!(false)));
            let more = access(who, s, "more");
            assert_eq!((&more["state"], &more["reasons"][0]["required"]["at_least"]), (&json!("hidden"), &json!("mastered")));
        }
        let (average, a, _) = &paths[1];
        assert_eq!(access(average, a, "help")["state"], "hidden");
        assert_eq!(access(average, a, "help")["reasons"][0]["not"]["actual"]["mastery"], 0.5);
        let (expert, x, _) = &paths[2];
        // What was known before anything was proved.
        let made = expert.get(&format!("/v1/enrollments/{x}")).expect(200)["created_at"].as_str().unwrap().to_owned();
        let then = expert.get(&format!("/v1/enrollments/{x}/modules/lesson/access?as_of={made}")).expect(200);
        assert_eq!(then["state"], "locked");
        assert_eq!(access(expert, x, "lesson")["state"], "waived");
        assert_eq!(access(expert, x, "drill")["state"], "not_chosen");
        assert_eq!(mastery(expert, expert.id(), &basics)["mastered"], true);
        assert_eq!(told(app, "competency.mastered").len(), 2, "the expert masters both");
    }

    fn what_was_proved_elsewhere_counts_at_once(app) {
        let c = competency(app, "highest");
        let proving = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![assessing("q", "core", &[&c], json!({"pass_percent": 0}))])]}));
        let skipping = app.course("dynamic_branching", &json!({"stages": [sequence("s", "linear", vec![
            with(article("known"), json!({"waive_when": {"competency": {"id": c, "at_least": 0.8}}}))])]}));
        let ada = app.user("ada");
        let (there, here) = (ada.enroll(&skipping), ada.enroll(&proving));
        assert_eq!(ada.states(&there)["known"], "available");
        ada.attempt(&here, "q", &right());
        assert_eq!(ada.states(&there)["known"], "waived");
        let seen = ada.get(&format!("/v1/enrollments/{there}")).expect(200);
        assert_eq!(seen["status"], "completed", "the other course is complete in the same transaction");
        let bea = app.user("bea");
        app.admin().post(&format!("/v1/users/{}/evidence", bea.id()), json!({"competency_id": c, "score": 1})).expect(201);
        let made = bea.post(&format!("/v1/courses/{skipping}/enrollments"), json!({})).expect(201);
        assert_eq!(made["status"], "completed", "and for whoever comes with it");
        app.admin().patch(&format!("/v1/courses/{skipping}"), json!({"enrollment_policy": "approval"})).expect(200);
        let cyn = app.user("cyn");
        app.admin().post(&format!("/v1/users/{}/evidence", cyn.id()), json!({"competency_id": c, "score": 1})).expect(201);
        let asked = cyn.post(&format!("/v1/courses/{skipping}/enrollments"), json!({})).expect(201);
        assert_eq!(asked["status"], "pending");
        let approved = app.admin().post(&format!("/v1/enrollments/{}/approve", asked.id()), json!({})).expect(200);
        assert_eq!(approved["status"], "completed", "also once it is approved");
    }

    fn what_one_event_of_a_batch_proves_opens_what_the_next_begins(app) {
        let (_, ids) = framework(app, json!([
            {"key": "all", "title": "All", "rollup": "all_required"},
            {"key": "x", "title": "X", "parent": "all", "method": "highest"}, {"key": "y", "title": "Y", "parent": "all", "method": "highest"}]));
        let proves = |key: &str, id: &str| with(article(key), json!({"competencies": [{"id": id, "touch": "assesses"}]}));
        let asks = |key: &str, id: &str| hidden_unless(key, "advanced", json!({"competency": {"id": id, "at_least": 0.8}}));
        let outline = json!({"stages": [sequence("s", "any", vec![
            asks("more", &ids[1]), proves("one", &ids[1]), proves("two", &ids[2]), asks("most", &ids[0])])]});
        let course = app.course("dynamic_branching", &outline);
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let path = format!("/v1/enrollments/{e}/events");
        let opened = |keys: &[&str]| {
            let events: Vec<_> = keys.iter().map(|key| json!({"id": cairn::clock::new_id(app.state.clock.now()), "type": "opened", "module": key})).collect();
            let out = ada.post(&path, json!({"events": events})).expect(200);
            let results: Vec<String> = out["results"].as_array().unwrap().iter().map(|r| r["status"].as_str().unwrap().to_owned()).collect();
            (results, out["enrollment"]["status"].as_str().unwrap().to_owned())
        };
        assert_eq!(opened(&["more", "most"]).0, ["rejected", "rejected"]);
        let (results, status) = opened(&["one", "more", "most"]);
        assert_eq!((results, status.as_str()), (vec!["applied".into(), "applied".into(), "rejected".into()], "active"));
        assert_eq!(ada.states(&e)["most"], "hidden", "the parent asks for both");
        // In any order within the batch: what meets a locked module is tried again after the others.
        let (results, status) = opened(&["most", "two"]);
        assert_eq!((results, status.as_str()), (vec!["applied".to_owned(); 2], "completed"));
        assert_eq!(mastery(&ada, ada.id(), &ids[0])["mastery"], 1.0);
        assert_eq!(mastery(&ada, ada.id(), &ids[1])["evidence_count"], 1, "what was reckoned ahead is written once");
    }

    fn many_who_know_it_already_are_through_at_once(app) {
        let c = competency(app, "highest");
        let known = with(article("known"), json!({"waive_when": {"competency": {"id": c, "at_least": 0.8}}}));
        let outline = json!({"stages": [sequence("s", "linear", vec![known])]});
        let course = app.course_with(json!({"title": "C", "style": "dynamic_branching", "issues_certificate": true, "seats": 2}), &outline);
        let people = crate::support::factory::learners(app, 8);
        for (n, person) in people.iter().enumerate() {
            if n % 2 == 1 {
                app.admin().post(&format!("/v1/users/{}/evidence", person.id()), json!({"competency_id": c, "score": 1})).expect(201);
            }
        }
        let enrollments: Vec<Value> = people.iter().map(|person| json!({"course_id": course, "user_id": person.id()})).collect();
        app.admin().post("/v1/enrollments/bulk", json!({"enrollments": enrollments})).expect(200);
        let of = |status: &str| app.admin().all(&format!("/v1/courses/{course}/enrollments?status={status}")).len();
        // Two seats: the first keeps one, the second is through and makes room for the third; the rest wait.
        assert_eq!((of("active"), of("completed"), of("waitlisted")), (2, 1, 5));
        let first = people[0].get("/v1/enrollments").expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
        people[0].post(&format!("/v1/enrollments/{first}/withdraw"), json!({})).expect(200);
        // The fourth is through in the seat that the first left, so the fifth has it.
        assert_eq!((of("active"), of("completed"), of("waitlisted")), (2, 2, 3));
        assert_eq!(told(app, "certificate.issued").len(), 2);
        app.admin().patch(&format!("/v1/courses/{course}"), json!({"seats": null})).expect(200);
        assert_eq!((of("active"), of("completed"), of("waitlisted")), (3, 4, 0));
        assert_eq!(told(app, "certificate.issued").len(), 4);
        app.work();
        assert_eq!((of("active"), of("completed"), told(app, "course.completed").len()), (3, 4, 4), "and once only");
    }

    fn roll_ups_follow_in_a_simulation_and_at_a_past_instant(app) {
        let (_, ids) = framework(app, json!([
            {"key": "top", "title": "Top", "rollup": "all_required"},
            {"key": "mid", "title": "Mid", "parent": "top", "rollup": {"points": {"needed": 2}}},
            {"key": "side", "title": "Side", "parent": "top", "method": "highest"},
            {"key": "x", "title": "X", "parent": "mid", "method": "highest"}, {"key": "y", "title": "Y", "parent": "mid", "method": "highest"}]));
        let (top, mid, side, x, y) = (&ids[0], &ids[1], &ids[2], &ids[3], &ids[4]);
        let outline = json!({"stages": [sequence("s", "any", vec![article("a"), hidden_unless("more", "advanced", json!({"competency": {"id": top, "at_least": 0.8}}))])]});
        let course = app.course("dynamic_branching", &outline);
        let proof = |id: &str, score: f64| json!({"prove": {"competency": id, "score": score}});
        let script = json!({"revision": 1, "steps": [proof(x, 0.9), proof(side, 0.9), proof(y, 0.95)]});
        let out = app.admin().post(&format!("/v1/courses/{course}/simulate"), script).expect(200);
        assert_eq!(out["steps"][0]["mastery"], json!({x.as_str(): 0.9, mid.as_str(): 0.4}));
        assert_eq!(out["steps"][1]["mastery"], json!({side.as_str(): 0.9, top.as_str(): 0.4}));
        assert_eq!((&out["steps"][2]["mastery"][top], &out["steps"][2]["opened"]), (&json!(0.9), &json!(["more"])));
        let knows = json!({"revision": 1, "learner": {"mastery": {top.as_str(): 0.9}}, "steps": [proof(x, 0.1)]});
        let out = app.admin().post(&format!("/v1/courses/{course}/simulate"), knows).expect(200);
        assert_eq!((&out["states"]["more"], &out["steps"][0]["closed"]), (&json!("available"), &json!([])), "what holds of the whole holds of its parts");

        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let prove = |id: &str| app.admin().post(&format!("/v1/users/{}/evidence", ada.id()), json!({"competency_id": id, "score": 0.9})).expect(201);
        let now = || app.state.clock.now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        prove(x);
        prove(side);
        app.advance(DAY);
        let then = now();
        app.advance(DAY);
        prove(y);
        assert_eq!(access(&ada, &e, "more")["state"], "available");
        let past = ada.get(&format!("/v1/enrollments/{e}/modules/more/access?as_of={then}")).expect(200);
        assert_eq!((&past["state"], &past["reasons"][0]["actual"]["mastery"]), (&json!("hidden"), &json!(0.4)));
        let today = ada.get(&format!("/v1/enrollments/{e}/modules/more/access?as_of={}", now())).expect(200);
        assert_eq!(today["state"], "available");
    }

    fn a_lock_of_mastery_names_what_opens_it(app) {
        let k = competency(app, "latest");
        let asks = json!({"when": {"competency": {"id": k, "at_least": 0.8}}});
        let outline = json!({"stages": [sequence("s", "linear", vec![
            pair("dg", "core", &k, 50), with(pair("own", "core", &k, 50), asks),
            with(with(article("secret"), json!({"competencies": [{"id": k}]})), json!({"when": {"attribute": {"name": "n", "op": "exists"}}, "unmet": "hide"}))])]});
        let course = app.course("dynamic_branching", &outline);
        app.admin().put(&format!("/v1/courses/{course}/targets/{k}"), json!({"at_least": 0.8, "due_days": 1})).expect(200);
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.attempt(&e, "dg", &answers(1));
        let own = access(&ada, &e, "own");
        assert_eq!((&own["state"], &own["actions"]), (&json!("locked"), &json!([{"do": "retake_module", "module": "dg"}])));
        let next = ada.get(&format!("/v1/enrollments/{e}/next")).expect(200);
        assert_eq!(next["items"], json!([{"module": "dg", "reason": "remedial", "autoplay": false}]));
        let own = ada.get(&format!("/v1/enrollments/{e}/targets")).expect(200)["items"][0].clone();
        assert_eq!(own["suggested_modules"], json!(["dg"]), "neither what is hidden nor what this very competency opens");
        app.advance(2 * DAY);
        assert_eq!(app.admin().all(&format!("/v1/courses/{course}/behind"))[0]["suggested_modules"], json!(["dg"]));
        ada.attempt(&e, "dg", &answers(2));
        assert_eq!(access(&ada, &e, "own")["state"], "available");
    }

    fn whoever_falls_behind_is_told_of_once_until_they_catch_up(app) {
        let c = competency(app, "latest");
        let outline = json!({"stages": [sequence("s", "linear", vec![
            hidden_unless("rescue", "remedial", json!({"behind": {"competency": c, "days": 7}})), with(article("lesson"), json!({"competencies": [{"id": c}]})),
            assessing("q", "core", &[&c], json!({"pass_percent": 0}))])]});
        let course = app.course("dynamic_branching", &outline);
        app.admin().put(&format!("/v1/courses/{course}/targets/{c}"), json!({"at_least": 0.8, "due_days": 14, "behind_days": 7})).expect(200);
        assert_eq!(app.admin().put(&format!("/v1/courses/{course}/targets/{c}"), json!({"at_least": 1.2, "due_days": 14, "due_at": "2027-01-01T00:00:00Z"})).faults(), ["/at_least", "/due_days"]);
        let (ada, early) = (app.user("ada"), app.user("early"));
        let (e, _) = (ada.enroll(&course), early.enroll(&course));
        let prove = |who: &Client, score: f64| app.admin().post(&format!("/v1/users/{}/evidence", who.id()), json!({"competency_id": c, "score": score})).expect(201);
        prove(&early, 0.9);
        let behind = || app.admin().all(&format!("/v1/courses/{course}/behind"));
        let crossings = || { app.work(); told(app, "competency.behind").len() };
        assert_eq!((behind().len(), crossings()), (0, 0));

        app.advance(20 * DAY);
        assert_eq!(crossings(), 0, "behind, but not by seven days");
        let list = behind();
        assert_eq!(list.len(), 1, "not who mastered early");
        assert_eq!((&list[0]["user_id"], &list[0]["behind_days"], &list[0]["mastery"]), (&json!(ada.id()), &json!(6), &Value::Null));
        assert_eq!(list[0]["suggested_modules"], json!(["lesson", "q"]));
        assert_eq!(ada.states(&e)["rescue"], "hidden");
        let next = || ada.get(&format!("/v1/enrollments/{e}/next")).expect(200)["items"][0].clone();
        assert_eq!((&next()["module"], &next()["reason"]), (&json!("lesson"), &json!("due")), "the lesson is about what was due");
        let own = ada.get(&format!("/v1/enrollments/{e}/targets")).expect(200)["items"][0].clone();
        assert_eq!((&own["met"], &own["behind_days"], &own["suggested_modules"]), (&json!(false), &json!(6), &json!(["lesson", "q"])));

        app.advance(DAY);
        assert_eq!(crossings(), 1);
        let event = told(app, "competency.behind").remove(0);
        assert_eq!((&event["behind_days"], &event["suggested_modules"], &event["target"]["kind"]), (&json!(7), &json!(["lesson", "q"]), &json!("course")));
        assert_eq!(ada.states(&e)["rescue"], "available", "the path knows");
        assert_eq!((&next()["module"], &next()["reason"]), (&json!("rescue"), &json!("due")));
        app.advance(5 * DAY);
        assert_eq!(crossings(), 1, "once");

        prove(&ada, 0.9);
        assert_eq!((behind().len(), ada.states(&e)["rescue"].as_str()), (0, "hidden"));
        app.advance(DAY);
        assert_eq!(crossings(), 1);
        prove(&ada, 0.3);
        app.advance(DAY);
        assert_eq!(crossings(), 2, "armed again after catching up");
        app.admin().delete(&format!("/v1/courses/{course}/targets/{c}")).expect(204);
        assert!(behind().is_empty());
    }

    fn goals_have_due_dates_too(app) {
        let c = competency(app, "latest");
        let goal = app.admin().post("/v1/goals", json!({"title": "Lead", "requirements": [{"competency_id": c, "at_least": 0.8, "due_days": 30}]})).expect(201).id();
        let ada = app.user("ada");
        app.admin().put(&format!("/v1/goals/{goal}/learners/{}", ada.id()), json!({})).expect(200);
        app.advance(31 * DAY);
        app.work();
        let all = told(app, "competency.behind");
        assert_eq!((all.len(), &all[0]["target"]), (1, &json!({"kind": "goal", "id": goal})));
        assert_eq!(ada.get(&format!("/v1/users/{}/goals", ada.id())).expect(200)["items"][0]["requirements"][0]["behind_days"], 1);
    }

    fn a_list_of_those_behind_parts_no_learner(app) {
        let (_, ids) = framework(app, json!([{"key": "a", "title": "A"}, {"key": "b", "title": "B"}, {"key": "c", "title": "C"}]));
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![article("x")])]}));
        for id in &ids {
            app.admin().put(&format!("/v1/courses/{course}/targets/{id}"), json!({"at_least": 0.5, "due_days": 0})).expect(200);
        }
        for n in 0..4 {
            app.user(&format!("l{n}")).enroll(&course);
        }
        app.advance(DAY);
        let all = app.admin().all(&format!("/v1/courses/{course}/behind?limit=4"));
        assert_eq!(all.len(), 12);
        let first = app.admin().get(&format!("/v1/courses/{course}/behind?limit=4")).expect(200);
        assert_eq!(first["items"].as_array().unwrap().len(), 3);
        let count = |limit: usize| app.statements(|| drop(app.admin().get(&format!("/v1/courses/{course}/behind?limit={limit}")).expect(200))).0;
        assert_eq!(count(1), count(200));
    }

    fn a_simulation_plays_evidence_and_writes_nothing(app) {
        let (course, basics, craft) = adaptive(app);
        let before = app.state.db.read_here(|conn| Ok(events::table.count().get_result::<i64>(conn)?)).unwrap();
        let script = json!({"revision": 1, "steps": [
            {"fail": {"module": "entry", "score_percent": 0}}, {"complete": "help"}, {"prove": {"competency": basics, "score": 0.95}},
            {"pass": {"module": "check", "score_percent": 60, "proves": {craft.as_str(): 0.95}}}]});
        let out = app.admin().post(&format!("/v1/courses/{course}/simulate"), script).expect(200);
        let steps = out["steps"].as_array().unwrap();
        assert_eq!((&steps[0]["opened"], &steps[0]["mastery"]), (&json!(["help"]), &json!({basics.as_str(): 0.0})));
        assert_eq!(steps[1]["opened"], json!(["lesson"]));
        // The lesson is tested out, so the check opens; the remedial is done and stays.
        assert_eq!((&steps[2]["completed"], &steps[2]["opened"], &steps[2]["mastery"]), (&json!(["lesson"]), &json!(["check"]), &json!({basics.as_str(): 0.95})));
        assert_eq!((&steps[3]["opened"], &steps[3]["mastery"]), (&json!(["project"]), &json!({craft.as_str(): 0.95})));
        let expert = json!({"revision": 1, "learner": {"mastery": {basics.as_str(): 1.0}}, "steps": [{"pass": {"module": "entry", "score_percent": 100}}]});
        let out = app.admin().post(&format!("/v1/courses/{course}/simulate"), expert).expect(200);
        assert_eq!((&out["states"]["lesson"], &out["states"]["help"]), (&json!("waived"), &json!("hidden")));
        let unknown = json!({"steps": [{"prove": {"competency": "0199c0de-0000-7000-8000-000000000001", "score": 1}}]});
        assert_eq!(app.admin().post(&format!("/v1/courses/{course}/simulate"), unknown).faults(), ["/steps/0/prove/competency"]);
        let nonsense = json!({"revision": 1, "learner": {"mastery": {basics.as_str(): 3}}, "steps": [
            {"prove": {"competency": basics, "score": 2, "weight": -3}}, {"pass": {"module": "check", "score_percent": 500, "proves": {basics.as_str(): 7}}},
            {"fail": {"module": "check", "score_percent": 100}}]});
        assert_eq!(app.admin().post(&format!("/v1/courses/{course}/simulate"), nonsense).faults(), [
            format!("/learner/mastery/{basics}"), "/steps/0/prove/score".into(), "/steps/0/prove/weight".into(),
            format!("/steps/1/pass/proves/{basics}"), format!("/steps/1/pass/proves/{basics}"), "/steps/1/pass/score_percent".into(), "/steps/2/fail/score_percent".into()]);
        let after = app.state.db.read_here(|conn| Ok(events::table.count().get_result::<i64>(conn)?)).unwrap();
        assert_eq!(before, after);
    }

    fn all_faults_of_a_script_are_named_at_once(app) {
        let (course, basics, _) = adaptive(app);
        let path = format!("/v1/courses/{course}/simulate");
        let bad = json!({"revision": 1, "learner": {"mastery": {"x": 7, basics.as_str(): 7, "0199c0de-0000-7000-8000-000000000001": 0.5}}, "steps": [
            {"advance_seconds": u64::MAX}, {"advance_seconds": 3_153_600_001_u64}, {"pass": {"module": "check", "proves": {"y": 2}}}, {"advance_seconds": 3_153_600_000_u64}]});
        let mut expected = vec!["/learner/mastery/0199c0de-0000-7000-8000-000000000001".to_owned(), format!("/learner/mastery/{basics}"),
            "/learner/mastery/x".into(), "/learner/mastery/x".into(), "/steps/0/advance_seconds".into(), "/steps/1/advance_seconds".into(),
            "/steps/2/pass/proves/y".into(), "/steps/2/pass/proves/y".into()];
        expected.sort();
        assert_eq!(app.admin().post(&path, bad).faults(), expected);
        // What is of the wrong type is named with all that the document says.
        let bad = json!({"learner": {"mastery": {"x": 7}}, "steps": [{"advance_seconds": -1}, {"advance_seconds": u64::MAX}, {"fly": 1}]});
        assert_eq!(app.admin().post(&path, bad).faults(), [
            "/learner/mastery/x", "/learner/mastery/x", "/steps/0/advance_seconds", "/steps/1/advance_seconds", "/steps/2/fly"]);
        let steps = vec![json!({"advance_seconds": 3_153_600_000_u64}); 1000];
        app.admin().post(&path, json!({"revision": 1, "steps": steps})).expect(200);
    }

    fn practice_follows_the_learner_s_ability(app) {
        let item = |key: &str, difficulty: f64| json!({"key": key, "type": "numeric", "prompt": key, "answer": 1, "difficulty": difficulty});
        let drill = quiz("drill", "core", json!({"practice": true, "items": [item("easy", 0.1), item("fair", 0.5), item("hard", 0.9)]}));
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![drill, quiz("exam", "core", json!({}))])]}));
        let (ada, bob) = (app.user("ada"), app.user("bob"));
        let (a, b) = (ada.enroll(&course), bob.enroll(&course));
        let first = ada.get(&format!("/v1/enrollments/{a}/practice")).expect(200);
        assert_eq!((&first["item"]["key"], &first["ability"]), (&json!("easy"), &json!(0.0)));
        assert!(!first.text().contains("answer\":"), "no answer is told");
        let path = |e: &str| format!("/v1/enrollments/{e}/practice");
        let mut last = Value::Null;
        for _ in 0..9 {
            let next = ada.get(&path(&a)).expect(200);
            last = ada.post(&path(&a), json!({"module": "drill", "item": next["item"]["key"], "answer": 1})).expect(200).json;
            assert_eq!(last["result"], "right");
            bob.post(&path(&b), json!({"module": "drill", "item": "fair", "answer": 2})).expect(200);
        }
        assert!(last["next"]["ability"].as_f64().unwrap() > 1.0, "{last}");
        let bobs = bob.get(&path(&b)).expect(200);
        assert!(bobs["ability"].as_f64().unwrap() < -1.0);
        assert_eq!(bobs["answers"], 9);
        assert!(ada.get(&format!("/v1/enrollments/{a}/modules/drill/attempts")).expect(200)["items"].as_array().unwrap().is_empty());
        ada.post(&path(&a), json!({"module": "exam", "item": "q", "answer": ["a"]})).problem(403, "module_locked");
        assert_eq!(ada.post(&path(&a), json!({"module": "drill", "item": "none", "answer": 1})).faults(), ["/item"]);
        assert_eq!(ada.post(&path(&a), json!({"module": "drill", "item": "easy", "answer": "x"})).faults(), ["/answer"]);
        bob.get(&path(&a)).problem(404, "not_found");
        let nobody = "0199c0de-0000-7000-8000-000000000001";
        assert_eq!(ada.get(&format!("{}?module=none&competency_id={nobody}", path(&a))).faults(), ["?competency_id", "?module"]);
        let none = ada.get(&format!("{}?module=exam", path(&a))).expect(200);
        assert_eq!((&none["item"], &none["module"]), (&Value::Null, &Value::Null));
    }

    fn a_learning_event_keeps_its_budget_of_statements(app) {
        let c = competency(app, "highest");
        let asks = |leaf: Value| with(article("more"), json!({"role": "advanced", "unmet": "hide", "when": leaf}));
        for (what, leaf) in [
            ("a condition about mastery", json!({"competency": {"id": c, "at_least": 0.5}})),
            ("a condition about being behind", json!({"any": [{"competency": {"id": c, "at_least": 0.5}}, {"behind": {"competency": c, "days": 1}}]})),
        ] {
            let read = with(article("read"), json!({"competencies": [{"id": c}]}));
            let outline = json!({"stages": [sequence("s", "linear", vec![article("warm"), read, assessing("q", "core", &[&c], json!({})), asks(leaf)])]});
            let course = app.course("dynamic_branching", &outline);
            app.admin().put(&format!("/v1/courses/{course}/targets/{c}"), json!({"at_least": 0.8, "due_days": 1})).expect(200);
            let ada = app.user("ada");
            let e = ada.enroll(&course);
            ada.open(&e, "warm").expect(200);
            let (n, _) = app.statements(|| ada.open(&e, "read").expect(200));
            assert!(n <= 8, "{what}: {n} statements");
            let attempt = ada.post(&format!("/v1/enrollments/{e}/modules/q/attempts"), json!({})).expect(201).id();
            let (n, _) = app.statements(|| ada.post(&format!("/v1/attempts/{attempt}/submit"), json!({})).expect(200));
            assert!(n <= 15, "{what}, a quiz that proves something: {n} statements");
        }
    }
}
