//! What is shown of the mastery of many: matrices, goals and who has them.

use crate::competencies::{assessing, competency, framework};
use crate::support::factory::{learners, right, sequence, wrong};
use crate::support::{Client, Value, json};

fn ids(list: &[Value]) -> Vec<String> {
    let mut ids: Vec<String> = list.iter().map(|learner| learner["user_id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

both! {
    fn managers_see_which_of_their_people_have_a_goal(app) {
        let c = competency(app, "highest");
        let goal = app.admin().post("/v1/goals", json!({"title": "Lead", "requirements": [{"competency_id": c, "at_least": 0.5}]})).expect(201).id();
        let boss = app.user("boss");
        let ada = app.user_with("ada", json!({"manager_id": boss.id()}));
        let below = app.user_with("below", json!({"manager_id": ada.id()}));
        let other = app.user("other");
        for who in [&boss, &ada, &below, &other] {
            app.admin().put(&format!("/v1/goals/{goal}/learners/{}", who.id()), json!({})).expect(200);
        }
        let path = format!("/v1/goals/{goal}/learners");
        let seen = |who: &Client| { let mut ids: Vec<String> = who.all(&path).iter().map(|l| l["user_id"].as_str().unwrap().to_owned()).collect(); ids.sort(); ids };
        let sorted = |list: &[&Client]| { let mut ids: Vec<String> = list.iter().map(|who| who.id().to_owned()).collect(); ids.sort(); ids };
        assert_eq!(seen(&boss), sorted(&[&ada, &below]));
        assert_eq!(seen(&ada), sorted(&[&below]));
        assert_eq!(seen(app.admin()).len(), 4);
        assert_eq!(seen(&app.staff("instructor")).len(), 4);
        other.get(&path).problem(403, "forbidden");
    }

    fn the_matrix_of_a_class_comes_by_page_in_three_forms(app) {
        let (framework_id, ids) = framework(app, json!([{"key": "a", "title": "A & B", "method": "highest"}, {"key": "=b", "title": "B", "method": "highest"}]));
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![assessing("q", "core", &[&ids[0], &ids[1]], json!({"pass_percent": 0}))])]}));
        let people = learners(app, 60);
        for (n, person) in people.iter().enumerate() {
            let e = person.enroll(&course);
            if n < 3 {
                person.attempt(&e, "q", &if n == 1 { wrong() } else { right() });
            }
        }
        let path = format!("/v1/courses/{course}/mastery");
        let first = app.admin().get(&format!("{path}?limit=40")).expect(200);
        assert_eq!(first["items"].as_array().unwrap().len(), 40);
        assert_eq!(first["competencies"].as_array().unwrap().len(), 2);
        let all = app.admin().all(&format!("{path}?limit=40"));
        assert_eq!(all.len(), 60);
        let of = |n: usize| all.iter().find(|row| row["user_id"] == json!(people[n].id())).unwrap();
        assert_eq!((&of(0)["mastery"], &of(0)["levels"][0]), (&json!([1.0, 1.0]), &json!("mastered")));
        assert_eq!((&of(1)["mastery"], &of(4)["mastery"]), (&json!([0.0, 0.0]), &json!([null, null])));
        let count = |limit: usize| app.statements(|| drop(app.admin().get(&format!("{path}?limit={limit}")).expect(200))).0;
        let (one, fifty) = (count(1), count(50));
        assert!(one == fifty && one <= 6, "{one} for one, {fifty} for fifty");

        let as_ = |kind: &str| app.admin().call("GET", &format!("{path}?limit=2"), None, &[("accept", kind)]).expect(200);
        let csv = as_("text/csv");
        let lines: Vec<String> = String::from_utf8(csv.body.clone()).unwrap().lines().map(str::to_owned).collect();
        assert_eq!((lines.len(), lines[0].as_str()), (3, "user_id,given_name,family_name,a,'=b"));
        assert!(csv.header("link").unwrap().contains("rel=\"next\""));
        let svg = as_("image/svg+xml");
        assert!(svg.text().starts_with("<svg") && svg.text().contains("A &amp; B"));
        assert_eq!(app.admin().call("GET", &path, None, &[("accept", "application/pdf")]).status, 406);
        let kind = |accept: &str| app.admin().call("GET", &path, None, &[("accept", accept)]).expect(200).header("content-type").unwrap().to_owned();
        assert_eq!(kind("text/csv;q=0.5, image/svg+xml"), "image/svg+xml", "the heavier one");
        assert_eq!(kind("text/csv;q=0, application/json"), "application/json");
        assert_eq!(app.admin().call("GET", &path, None, &[("accept", "application/json;q=0")]).status, 406);
        assert_eq!(app.admin().get(&format!("{path}?framework_id=0199c0de-0000-7000-8000-000000000001")).faults(), ["?framework_id"]);
        assert_eq!(app.admin().get(&format!("{path}?framework_id={framework_id}")).expect(200)["competencies"].as_array().unwrap().len(), 2);
        let group = app.admin().post("/v1/groups", json!({"name": "Few", "kind": "static"})).expect(201).id();
        app.admin().put(&format!("/v1/groups/{group}/members/{}", people[5].id()), json!({})).ok();
        assert_eq!(app.admin().all(&format!("{path}?group_id={group}")).len(), 1);
        assert_eq!(app.admin().get(&format!("{path}?group_id={course}")).faults(), ["?group_id"]);
        people[0].get(&path).problem(403, "forbidden");
    }

    fn a_group_s_matrix_spans_its_courses(app) {
        let (framework_id, ids) = framework(app, json!([{"key": "a", "title": "A", "method": "highest"}, {"key": "b", "title": "B", "method": "highest"}, {"key": "c", "title": "C"}]));
        let course = |id: &str| app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![assessing("q", "core", &[id], json!({"pass_percent": 0}))])]}));
        let courses = [course(&ids[0]), course(&ids[1])];
        let unit = |name: &str, parent: Option<&str>| app.admin().post("/v1/groups", json!({"name": name, "kind": "unit", "parent_id": parent})).expect(201).id();
        let region = unit("Region", None);
        let branch = unit("Branch", Some(&region));
        let people = learners(app, 7);
        for (n, person) in people.iter().enumerate() {
            let group = if n < 3 { &region } else { &branch };
            app.admin().put(&format!("/v1/groups/{group}/members/{}", person.id()), json!({})).ok();
        }
        app.admin().put(&format!("/v1/courses/{}/group-enrollments/{region}", courses[0]), json!({})).ok();
        app.admin().put(&format!("/v1/courses/{}/group-enrollments/{branch}", courses[1]), json!({})).ok();
        app.work();
        let e = app.admin().all(&format!("/v1/enrollments?user_id={}&course_id={}", people[4].id(), courses[1]))[0]["id"].as_str().unwrap().to_owned();
        people[4].attempt(&e, "q", &right());
        let path = |group: &str| format!("/v1/groups/{group}/mastery");
        let keys = |out: &crate::support::Answer| out["competencies"].as_array().unwrap().iter().map(|c| c["key"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(keys(&app.admin().get(&path(&region)).expect(200)), ["a"], "what is assigned to the unit");
        let below = app.admin().get(&path(&branch)).expect(200);
        assert_eq!(keys(&below), ["a", "b"], "and to those above it");
        assert_eq!(below["items"].as_array().unwrap().len(), 4);
        let mine = below["items"].as_array().unwrap().iter().find(|row| row["user_id"] == json!(people[4].id())).unwrap();
        assert_eq!((&mine["mastery"], &mine["levels"][1]), (&json!([null, 1.0]), &json!("mastered")));
        assert_eq!(keys(&app.admin().get(&format!("{}?framework_id={framework_id}", path(&region))).expect(200)), ["a", "b", "c"]);
        assert_eq!(app.admin().all(&format!("{}?limit=2", path(&region))).len(), 7, "of a unit, all below");
        assert_eq!(app.admin().all(&format!("/v1/courses/{}/mastery?limit=2&group_id={branch}", courses[1])).len(), 4);
        let csv = app.admin().call("GET", &format!("{}?limit=2", path(&branch)), None, &[("accept", "text/csv")]).expect(200);
        assert!(csv.text().starts_with("user_id,given_name,family_name,a,b\n") && csv.header("link").unwrap().contains("rel=\"next\""));
        assert!(app.admin().call("GET", &path(&branch), None, &[("accept", "image/svg+xml")]).expect(200).text().starts_with("<svg"));
        people[0].get(&path(&region)).problem(404, "not_found");
        let count = |limit: usize| app.statements(|| drop(app.admin().get(&format!("{}?limit={limit}", path(&region))).expect(200))).0;
        let (one, many) = (count(1), count(200));
        assert!(one == many && one <= 6, "{one} for one, {many} for all");
    }

    fn goals_show_the_gap_and_what_closes_it(app) {
        let (_, ids) = framework(app, json!([{"key": "a", "title": "A", "method": "highest"}, {"key": "b", "title": "B", "method": "highest"}]));
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![assessing("q", "core", &[&ids[1]], json!({}))])]}));
        let goal = app.admin().post("/v1/goals", json!({"title": "Lead", "requirements": [{"competency_id": ids[0], "at_least": "mastered"}, {"competency_id": ids[1], "at_least": 0.9, "due_days": 30}]})).expect(201);
        let unknown = json!({"title": "X", "requirements": [{"competency_id": ids[0], "at_least": "expert"}, {"competency_id": "0199c0de-0000-7000-8000-000000000001", "at_least": 0.5}]});
        assert_eq!(app.admin().post("/v1/goals", unknown).faults(), ["/requirements/0/at_least", "/requirements/1/competency_id"]);
        let boss = app.user("boss");
        let ada = app.user_with("ada", json!({"manager_id": boss.id()}));
        boss.put(&format!("/v1/goals/{}/learners/{}", goal.id(), ada.id()), json!({})).expect(200);
        ada.put(&format!("/v1/goals/{}/learners/{}", goal.id(), ada.id()), json!({})).problem(403, "forbidden");
        app.admin().post(&format!("/v1/users/{}/evidence", ada.id()), json!({"competency_id": ids[0], "score": 0.8})).expect(201);
        let seen = boss.get(&format!("/v1/users/{}/goals", ada.id())).expect(200)["items"][0].clone();
        assert_eq!(seen["met_percent"], 50.0);
        assert_eq!((&seen["requirements"][0]["met"], &seen["requirements"][0]["gap"]), (&json!(true), &json!(0.0)));
        assert_eq!((&seen["requirements"][1]["met"], &seen["requirements"][1]["gap"]), (&json!(false), &json!(0.9)));
        assert_eq!(seen["requirements"][1]["courses"][0]["course_id"], json!(course));
        assert_eq!(seen["requirements"][1]["courses"][0]["assesses"], true);
        let e = ada.enroll(&course);
        ada.attempt(&e, "q", &right());
        assert_eq!(ada.get(&format!("/v1/users/{}/goals", ada.id())).expect(200)["items"][0]["met_percent"], 100.0);
        let patched = app.admin().patch(&format!("/v1/goals/{}", goal.id()), json!({"requirements": [{"competency_id": ids[1], "at_least": 0.5}]})).expect(200);
        assert_eq!(patched["requirements"].as_array().unwrap().len(), 1);
        app.admin().delete(&format!("/v1/goals/{}", goal.id())).expect(204);
        assert!(ada.all(&format!("/v1/users/{}/goals", ada.id())).is_empty());
    }

    fn a_unit_s_admin_sees_which_of_its_people_have_a_goal(app) {
        let c = competency(app, "highest");
        let goal = app.admin().post("/v1/goals", json!({"title": "Lead", "requirements": [{"competency_id": c, "at_least": 0.5}]})).expect(201).id();
        let unit = |name: &str, parent: Option<&str>| app.admin().post("/v1/groups", json!({"name": name, "kind": "unit", "parent_id": parent})).expect(201).id();
        let acme = unit("Acme", None);
        let (lyon, beta) = (unit("Lyon", Some(&acme)), unit("Beta", None));
        let (boss, own, below, outside) = (app.user("boss"), app.user("own"), app.user("below"), app.user("outside"));
        for (group, who) in [(&acme, &own), (&lyon, &below), (&beta, &outside)] {
            app.admin().put(&format!("/v1/groups/{group}/members/{}", who.id()), json!({})).expect(204);
            app.admin().put(&format!("/v1/goals/{goal}/learners/{}", who.id()), json!({})).expect(200);
        }
        let path = format!("/v1/goals/{goal}/learners");
        let seen = || ids(&boss.all(&path));
        let sorted = |list: &[&Client]| { let mut ids: Vec<String> = list.iter().map(|who| who.id().to_owned()).collect(); ids.sort(); ids };
        boss.get(&path).problem(403, "forbidden");
        let roles = format!("/v1/users/{}/roles", boss.id());
        for role in ["admin", "instructor", "manager"] {
            let given = app.admin().post(&roles, json!({"role": role, "scope": {"kind": "unit", "id": acme}})).expect(201).id();
            assert_eq!(seen(), sorted(&[&own, &below]), "{role}: of the unit and of those below it");
            assert_eq!(boss.all(&format!("{path}?limit=1")).len(), 2, "{role}: page by page");
            app.admin().delete(&format!("{roles}/{given}")).expect(204);
        }
        app.admin().post(&roles, json!({"role": "manager", "scope": {"kind": "unit", "id": lyon}})).expect(201);
        assert_eq!(seen(), sorted(&[&below]));
        // Who looks after people of their own beside a unit sees both.
        app.admin().patch(&format!("/v1/users/{}", outside.id()), json!({"manager_id": boss.id()})).expect(200);
        assert_eq!(seen(), sorted(&[&below, &outside]));
    }

    fn a_group_s_matrix_is_narrowed_to_a_framework(app) {
        let (first, a) = framework(app, json!([{"key": "a", "title": "A", "method": "highest"}, {"key": "old", "title": "Old"}]));
        let (second, b) = framework(app, json!([{"key": "b", "title": "B", "method": "highest"}]));
        app.admin().patch(&format!("/v1/competencies/{}", a[1]), json!({"retired": true})).expect(200);
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![
            assessing("q", "core", &[&a[0], &b[0]], json!({"pass_percent": 0}))])]}));
        let group = app.admin().post("/v1/groups", json!({"name": "Class", "kind": "static"})).expect(201).id();
        let ada = app.user("ada");
        app.admin().put(&format!("/v1/groups/{group}/members/{}", ada.id()), json!({})).ok();
        app.admin().put(&format!("/v1/courses/{course}/group-enrollments/{group}"), json!({})).ok();
        app.work();
        for (id, score) in [(&a[0], 0.5), (&b[0], 1.0)] {
            app.admin().post(&format!("/v1/users/{}/evidence", ada.id()), json!({"competency_id": id, "score": score})).expect(201);
        }
        let shown = |query: &str| {
            let out = app.admin().get(&format!("/v1/groups/{group}/mastery{query}")).expect(200);
            let keys: Vec<Value> = out["competencies"].as_array().unwrap().iter().map(|c| c["key"].clone()).collect();
            (json!(keys), out["items"][0]["mastery"].clone())
        };
        assert_eq!(shown(""), (json!(["a", "b"]), json!([0.5, 1.0])));
        assert_eq!(shown(&format!("?framework_id={first}")), (json!(["a"]), json!([0.5])), "what is retired is left out");
        assert_eq!(shown(&format!("?framework_id={second}")), (json!(["b"]), json!([1.0])));
        let path = format!("/v1/groups/{group}/mastery?framework_id={second}");
        let csv = app.admin().call("GET", &path, None, &[("accept", "text/csv")]).expect(200);
        assert!(csv.text().starts_with("user_id,given_name,family_name,b\n"), "{}", csv.text());
        assert_eq!(app.admin().get(&format!("/v1/groups/{group}/mastery?framework_id={group}")).faults(), ["?framework_id"]);
    }
}
