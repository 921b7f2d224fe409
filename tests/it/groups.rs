//! Groups: static, dynamic and units; members; courses that follow from groups.

use crate::support::factory::{article, sequence};
use crate::support::{TestApp, Value, json};

fn group(app: &TestApp, fields: Value) -> String {
    app.admin().post("/v1/groups", fields).expect(201).id()
}

fn course(app: &TestApp) -> String {
    app.course("linear_autoplay", &json!({"stages": [sequence("start", "linear", vec![article("read")])]}))
}

fn dynamic(app: &TestApp, department: &str) -> String {
    let condition = json!({"attribute": {"name": "department", "op": "equals", "value": department}});
    group(app, json!({"name": department, "kind": "dynamic", "condition": condition}))
}

fn members(app: &TestApp, group: &str) -> Vec<String> {
    let list = app.admin().all(&format!("/v1/groups/{group}/members"));
    list.iter().map(|m| m["user_id"].as_str().expect("an id").to_owned()).collect()
}

fn enrollments(app: &TestApp, user: &str) -> Vec<(String, String)> {
    let list = app.admin().all(&format!("/v1/enrollments?user_id={user}"));
    let text = |v: &Value| v.as_str().expect("text").to_owned();
    list.iter().map(|e| (text(&e["source"]), text(&e["status"]))).collect()
}

both! {
    /// A group can be made, read by its external id, changed under its ETag, found by each filter and deleted.
    fn a_group_lives(app) {
        let admin = app.admin();
        let made = admin.post("/v1/groups", json!({"name": "Night shift", "kind": "static", "external_id": "night"})).expect(201);
        let id = made.id();
        let tag = made.header("etag").expect("a tag").to_owned();
        assert_eq!(admin.get("/v1/groups/ext:night").expect(200).json["id"], id);
        admin.post("/v1/groups", json!({"name": "Other", "kind": "static", "external_id": "night"})).problem(409, "conflict");
        admin.call("PATCH", &format!("/v1/groups/{id}"), Some(json!({"name": "Late shift"})), &[("if-match", &tag)]).expect(200);
        admin.call("PATCH", &format!("/v1/groups/{id}"), Some(json!({"name": "X"})), &[("if-match", &tag)]).problem(412, "precondition_failed");
        for filter in ["kind=static", "name=late%20SHIFT", "external_id=night", "updated_since=2020-01-01T00:00:00Z"] {
            assert_eq!(admin.get(&format!("/v1/groups?{filter}")).expect(200).json["items"].as_array().unwrap().len(), 1, "{filter}");
        }
        admin.delete(&format!("/v1/groups/{id}")).expect(204);
        admin.get(&format!("/v1/groups/{id}")).problem(404, "not_found");
    }

    /// What is wrong with a group is named, all of it.
    fn bad_groups_are_refused(app) {
        let faults = app.admin().post("/v1/groups", json!({"name": " ", "kind": "dynamic", "external_id": "", "parent_id": "x"})).problem(422, "validation_failed").faults();
        for at in ["/name", "/condition", "/external_id", "/parent_id"] {
            assert!(faults.iter().any(|fault| fault.contains(at)), "{at} in {faults:?}");
        }
        let timed = json!({"name": "A", "kind": "dynamic", "condition": {"inactive": {"days": 3}}});
        app.admin().post("/v1/groups", timed).problem(422, "validation_failed");
        app.admin().post("/v1/groups", json!({"name": "A", "kind": "static", "condition": {"attribute": {"name": "a", "op": "exists"}}})).problem(422, "validation_failed");
    }

    /// Members of a dynamic group follow the profile, in the same transaction, and a new condition at once when users are few.
    fn a_dynamic_group_is_kept_current(app) {
        let before = app.user_with("before", json!({"attributes": {"department": "Sales"}}));
        let sales = group(app, json!({"name": "Sales", "kind": "dynamic", "condition": {"attribute": {"name": "department", "op": "equals", "value": "Sales"}}}));
        assert_eq!(members(app, &sales), [before.id()]);
        let after = app.user_with("after", json!({"attributes": {"department": "Sales"}}));
        assert_eq!(members(app, &sales), [before.id(), after.id()]);
        app.admin().patch(&format!("/v1/users/{}", before.id()), json!({"attributes": {"department": "Law"}})).expect(200);
        assert_eq!(members(app, &sales), [after.id()]);
        app.admin().put(&format!("/v1/groups/{sales}/members/{}", before.id()), json!({})).problem(409, "wrong_state");
        let law = json!({"condition": {"attribute": {"name": "department", "op": "equals", "value": "Law"}}});
        let changed = app.admin().patch(&format!("/v1/groups/{sales}"), law).expect(200);
        assert_eq!(changed.json["membership"], "current");
        assert_eq!(members(app, &sales), [before.id()]);
    }

    /// A new condition over more users than one transaction judges goes on in a job.
    fn a_condition_over_many_users_is_applied_in_pieces(app) {
        let users: Vec<Value> = (0..600)
            .map(|n| json!({"email": format!("many{n}@example.org"), "given_name": "M", "family_name": "N", "attributes": {"site": "Oslo"}}))
            .collect();
        app.admin().post("/v1/users/bulk", json!({"users": users})).expect(200);
        let made = app.admin().post("/v1/groups", json!({"name": "Oslo", "kind": "dynamic", "condition": {"attribute": {"name": "site", "op": "equals", "value": "Oslo"}}})).expect(201);
        assert_eq!(made.json["membership"], "evaluating");
        app.work();
        let id = made.id();
        assert_eq!(app.admin().get(&format!("/v1/groups/{id}")).expect(200).json["membership"], "current");
        assert_eq!(members(app, &id).len(), 600);
    }

    /// Units form a tree without circles; the members of what lies below count.
    fn units_form_a_tree(app) {
        let top = group(app, json!({"name": "Acme", "kind": "unit", "external_id": "acme"}));
        let mid = group(app, json!({"name": "Lyon", "kind": "unit", "parent_id": "ext:acme"}));
        let low = group(app, json!({"name": "Depot", "kind": "unit", "parent_id": mid}));
        let ada = app.user("ada");
        app.admin().put(&format!("/v1/groups/{low}/members/{}", ada.id()), json!({})).expect(204);
        app.admin().patch(&format!("/v1/groups/{top}"), json!({"parent_id": low})).problem(422, "validation_failed");
        let all = |group: &str| app.admin().all(&format!("/v1/groups/{group}/members?depth=all")).len();
        assert_eq!((all(&top), all(&mid), all(&low)), (1, 1, 1));
        assert_eq!(members(app, &top).len(), 0);
        let other = group(app, json!({"name": "Other", "kind": "unit"}));
        let moved = app.admin().patch(&format!("/v1/groups/{mid}"), json!({"parent_id": other})).expect(200);
        assert_eq!(moved.json["depth"], 2);
        assert_eq!((all(&top), all(&other)), (0, 1));
        assert_eq!(app.admin().get(&format!("/v1/groups/{low}")).expect(200).json["depth"], 3);
        app.admin().delete(&format!("/v1/groups/{mid}")).problem(409, "wrong_state");
        let mine = ada.all(&format!("/v1/users/{}/groups", ada.id()));
        assert_eq!(mine.len(), 1);
        assert_eq!(mine[0]["group_id"], low);
    }

    /// A course assigned to a unit is taken by all below it, now and later, and left with the group when it says so.
    fn courses_follow_from_groups(app) {
        let course = course(app);
        let top = group(app, json!({"name": "Acme", "kind": "unit"}));
        let low = group(app, json!({"name": "Lyon", "kind": "unit", "parent_id": top}));
        let (now, later) = (app.user("now"), app.user("later"));
        app.admin().put(&format!("/v1/groups/{low}/members/{}", now.id()), json!({})).expect(204);
        let path = format!("/v1/courses/{course}/group-enrollments/{top}");
        let made = app.admin().put(&path, json!({"withdraw_on_leave": true})).expect(200);
        assert_eq!(made.json["state"], "current");
        assert_eq!(enrollments(app, now.id()), [("group".to_owned(), "active".to_owned())]);
        app.admin().put(&format!("/v1/groups/{low}/members/{}", later.id()), json!({})).expect(204);
        assert_eq!(enrollments(app, later.id()).len(), 1);
        app.admin().delete(&format!("/v1/groups/{low}/members/{}", later.id())).expect(204);
        assert_eq!(enrollments(app, later.id()), [("group".to_owned(), "withdrawn".to_owned())]);
        app.admin().delete(&format!("/v1/groups/{top}")).problem(409, "wrong_state");
        app.admin().delete(&format!("{path}?withdraw=true")).expect(204);
        assert_eq!(enrollments(app, now.id()), [("group".to_owned(), "withdrawn".to_owned())]);
        app.admin().get(&path).problem(404, "not_found");
    }

    /// Units take their people along into courses and out of them, when they move and when they go; assigning again finds who is missing.
    fn courses_follow_when_units_move(app) {
        let course = course(app);
        let (top, other) = (group(app, json!({"name": "Acme", "kind": "unit"})), group(app, json!({"name": "Other", "kind": "unit"})));
        let moving = group(app, json!({"name": "Lyon", "kind": "unit", "parent_id": other}));
        let low = group(app, json!({"name": "Depot", "kind": "unit", "parent_id": moving}));
        let path = format!("/v1/courses/{course}/group-enrollments/{top}");
        let made = app.admin().put(&path, json!({"withdraw_on_leave": true})).expect(200);
        let ada = app.user("ada");
        app.admin().put(&format!("/v1/groups/{low}/members/{}", ada.id()), json!({})).expect(204);
        let both = app.user("both");
        for place in [&low, &top] {
            app.admin().put(&format!("/v1/groups/{place}/members/{}", both.id()), json!({})).expect(204);
        }
        let to = |parent: Value| app.admin().patch(&format!("/v1/groups/{moving}"), json!({"parent_id": parent})).expect(200);
        let newest = |who: &str| enrollments(app, who).iter().filter(|(_, status)| status == "active").count();
        assert!(enrollments(app, ada.id()).is_empty());
        to(json!(top));
        assert_eq!((newest(ada.id()), newest(both.id())), (1, 1));
        for away in [json!(other), Value::Null] {
            to(away);
            assert_eq!((newest(ada.id()), newest(both.id())), (0, 1), "who is in another unit that has the course stays");
            to(json!(top));
            assert_eq!((newest(ada.id()), newest(both.id())), (1, 1));
        }
        // Many are moved by a job.
        let users: Vec<Value> = (0..450).map(|n| json!({"email": format!("m{n}@example.org"), "given_name": "M", "family_name": "N", "unit_id": moving})).collect();
        to(json!(other));
        app.admin().post("/v1/users/bulk", json!({"users": users})).expect(200);
        let active = || app.admin().all(&format!("/v1/courses/{course}/enrollments?status=active&limit=200")).len();
        assert_eq!(active(), 1);
        to(json!(top));
        app.work();
        assert_eq!(active(), 452);
        to(Value::Null);
        app.work();
        assert_eq!(active(), 1);
        to(json!(top));
        app.work();
        // A unit that goes takes its people out.
        app.admin().delete(&format!("/v1/groups/{low}")).expect(204);
        assert_eq!((newest(ada.id()), newest(both.id())), (0, 1));
        // Assigning again, under the tag that was read last only.
        let one = app.admin().get(&format!("/v1/courses/{course}/enrollments?user_id={}&status=active", both.id())).expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
        app.admin().post(&format!("/v1/enrollments/{one}/withdraw"), json!({})).ok();
        assert_eq!(newest(both.id()), 0);
        let put = |tag: &str| app.admin().call("PUT", &path, Some(json!({"withdraw_on_leave": true})), &[("if-match", tag)]);
        put("\"77\"").problem(412, "precondition_failed");
        put(made.header("etag").unwrap()).expect(200);
        app.work();
        assert_eq!((newest(both.id()), active()), (1, 451));
    }

    /// Lists take external ids where ids are taken.
    fn parents_are_named_by_external_id(app) {
        let top = group(app, json!({"name": "Acme", "kind": "unit", "external_id": "acme"}));
        let low = group(app, json!({"name": "Lyon", "kind": "unit", "parent_id": top}));
        let found = app.admin().all("/v1/groups?parent_id=ext:acme");
        assert_eq!(found.iter().map(|g| g["id"].as_str().unwrap()).collect::<Vec<_>>(), [low.as_str()]);
        assert!(app.admin().all("/v1/groups?parent_id=ext:nobody").is_empty());
        let ada = app.user_with("ada", json!({"external_id": "ada-1"}));
        let role = json!({"role": "manager", "scope": {"kind": "unit", "id": "ext:acme"}});
        let made = app.admin().post(&format!("/v1/users/{}/roles", ada.id()), role).expect(201);
        assert_eq!(made["scope"]["id"], top.as_str());
        let unknown = json!({"role": "manager", "scope": {"kind": "unit", "id": "ext:nobody"}});
        assert_eq!(app.admin().post(&format!("/v1/users/{}/roles", ada.id()), unknown).faults(), ["/scope/id"]);
        ada.patch("/v1/me", json!({"locale": "fr"})).expect(200);
        let log = app.admin().all("/v1/audit?actor=ext:ada-1&action=user.updated");
        assert_eq!(log.len(), 1);
    }

    /// Many leave many groups at once, seats are freed in several courses and those who wait get them, in as many statements for one as
    /// for many.
    fn leaving_costs_the_same_for_many(app) {
        app.admin();
        let people: Vec<String> = (0..6).map(|n| format!("ext:p{n}")).collect();
        let users: Vec<Value> = (0..6).map(|n| json!({"email": format!("p{n}@example.org"), "given_name": "P", "family_name": "N", "external_id": format!("p{n}"), "attributes": {"a": "1", "b": "1", "c": "1"}})).collect();
        app.admin().post("/v1/users/bulk", json!({"users": users})).expect(200);
        let mut courses = Vec::new();
        for name in ["a", "b", "c"] {
            let id = group(app, json!({"name": name, "kind": "dynamic", "condition": {"attribute": {"name": name, "op": "equals", "value": "1"}}}));
            let course = app.course_with(json!({"title": name, "style": "linear_autoplay", "seats": 2}), &json!({"stages": [sequence("s", "linear", vec![article("read")])]}));
            app.admin().put(&format!("/v1/courses/{course}/group-enrollments/{id}"), json!({"withdraw_on_leave": true})).ok();
            app.work();
            courses.push(course);
        }
        let standing = |course: &str| {
            let mut list: Vec<(String, String)> = app.admin().all(&format!("/v1/courses/{course}/enrollments")).iter()
                .map(|e| (e["user_id"].as_str().unwrap().to_owned(), e["status"].as_str().unwrap().to_owned())).collect();
            list.sort();
            list
        };
        let count = |course: &str, status: &str| standing(course).iter().filter(|(_, s)| s == status).count();
        for course in &courses {
            assert_eq!((count(course, "active"), count(course, "waitlisted")), (2, 4));
        }
        let active: Vec<String> = standing(&courses[0]).into_iter().filter(|(_, status)| status == "active").map(|(user, _)| user).collect();
        let leave = |who: &str, names: &[&str]| {
            let attributes: serde_json::Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), json!("2"))).collect();
            app.statements(|| app.admin().patch(&format!("/v1/users/{who}"), json!({"attributes": attributes})).expect(200)).0
        };
        let one = leave(&active[0], &["a"]);
        assert_eq!((count(&courses[0], "active"), count(&courses[0], "waitlisted"), count(&courses[0], "withdrawn")), (2, 3, 1));
        let many = leave(&active[1], &["a", "b", "c"]);
        assert!(many <= one + 1, "{one} statements for one group, {many} for three");
        for (course, expected) in courses.iter().zip([(2, 2, 2), (2, 3, 1), (2, 3, 1)]) {
            assert_eq!((count(course, "active"), count(course, "waitlisted"), count(course, "withdrawn")), expected);
        }
        // Everybody else goes.
        let gone: Vec<Value> = (0..6).map(|n| json!({"email": format!("p{n}@example.org"), "given_name": "P", "family_name": "N", "external_id": format!("p{n}"), "attributes": {"a": "3", "b": "3", "c": "3"}})).collect();
        app.admin().post("/v1/users/bulk", json!({"users": gone, "mode": "upsert"})).expect(200);
        for course in &courses {
            assert_eq!((count(course, "withdrawn"), people.len()), (6, 6));
        }
    }

    /// A condition may ask for a group; a unit counts with all below it; a group that does not exist is refused by the linter.
    fn a_condition_asks_for_a_group(app) {
        let unit = group(app, json!({"name": "Acme", "kind": "unit"}));
        let low = group(app, json!({"name": "Lyon", "kind": "unit", "parent_id": unit}));
        let mut gated = article("gated");
        gated["when"] = json!({"group": {"id": unit}});
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("start", "linear", vec![gated.clone(), article("read")])]}));
        let ada = app.user("ada");
        let enrollment = ada.enroll(&course);
        assert_eq!(ada.states(&enrollment)["gated"], "locked");
        app.admin().put(&format!("/v1/groups/{low}/members/{}", ada.id()), json!({})).expect(204);
        assert_eq!(ada.states(&enrollment)["gated"], "available");
        gated["when"] = json!({"group": {"id": "0199c0de-0000-7000-8000-0000000000ff"}});
        let outline = json!({"stages": [sequence("start", "linear", vec![gated])]});
        app.admin().put(&format!("/v1/courses/{course}/outline"), outline).ok();
        let lint = app.admin().post(&format!("/v1/courses/{course}/lint"), json!({})).expect(200);
        assert!(lint.text().contains("unknown_group"), "{}", lint.text());
    }

    /// Who joins while a course is archived is enrolled when it is restored, however many they are, in groups that still have it.
    fn a_restored_course_catches_up_with_its_groups(app) {
        let (course, sales, law) = (course(app), dynamic(app, "Sales"), dynamic(app, "Law"));
        for group in [&sales, &law] {
            app.admin().put(&format!("/v1/courses/{course}/group-enrollments/{group}"), json!({})).expect(200);
        }
        let assignment = |group: &str| app.admin().get(&format!("/v1/courses/{course}/group-enrollments/{group}")).expect(200)["state"].clone();
        let gone = app.user_with("gone", json!({"attributes": {"department": "Law"}}));
        app.work();
        let own = gone.get("/v1/enrollments").expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
        gone.post(&format!("/v1/enrollments/{own}/withdraw"), json!({})).expect(200);
        app.admin().post(&format!("/v1/courses/{course}/archive"), json!({})).expect(200);
        let people = |department: &str, n: usize| -> Vec<Value> {
            (0..n).map(|i| json!({"email": format!("{department}{i}@example.org"), "given_name": "P", "family_name": "N", "attributes": {"department": department}})).collect()
        };
        app.admin().post("/v1/users/bulk", json!({"users": people("Sales", 250)})).expect(200);
        app.admin().post("/v1/users/bulk", json!({"users": people("Law", 2)})).expect(200);
        app.work();
        assert_eq!(app.admin().all(&format!("/v1/enrollments?course_id={course}")).len(), 1);
        app.admin().post(&format!("/v1/courses/{course}/restore"), json!({})).expect(200);
        assert_eq!(assignment(&sales), "enrolling", "as long as somebody is missing");
        app.work();
        assert_eq!((assignment(&sales), assignment(&law)), (json!("current"), json!("current")));
        assert_eq!(app.admin().all(&format!("/v1/enrollments?course_id={course}&limit=200")).len(), 253, "who left stays out");
    }
}
