//! Bulk endpoints: a verdict for each item, dry runs, few statements.

use crate::support::factory::{article, sequence};
use crate::support::{Value, json};

fn person(n: usize) -> Value {
    json!({"email": format!("p{n}@example.org"), "given_name": "P", "family_name": format!("N{n}"), "external_id": format!("x{n}"), "attributes": {"department": "Sales"}})
}

both! {
    /// Each user gets a verdict; what is wrong with one does not keep the others out.
    fn users_get_verdicts(app) {
        let mut bad = person(2);
        bad["email"] = json!("nonsense");
        bad["colour"] = json!("red");
        let users = json!([person(0), person(1), bad, person(1)]);
        let dry = app.admin().post("/v1/users/bulk?dry_run=true", json!({"users": users})).expect(200);
        assert_eq!(dry.json["counts"], json!({"created": 2, "updated": 0, "unchanged": 0, "error": 2}));
        assert_eq!(app.admin().get("/v1/users?external_id=x0").expect(200).json["items"], json!([]));
        let done = app.admin().post("/v1/users/bulk", json!({"users": users})).expect(200);
        assert_eq!(done.json["counts"]["created"], 2);
        assert_eq!(done.json["results"][3]["error"]["errors"][0]["code"], "duplicate");
        let again = app.admin().post("/v1/users/bulk", json!({"users": [person(0)]})).expect(200);
        assert_eq!(again.json["results"][0]["error"]["code"], "conflict");
        let mut moved = person(0);
        moved["attributes"] = json!({"department": "Law"});
        let upsert = app.admin().post("/v1/users/bulk", json!({"users": [moved, person(1), person(5)], "mode": "upsert"})).expect(200);
        let statuses: Vec<_> = upsert.json["results"].as_array().unwrap().iter().map(|r| r["status"].clone()).collect();
        assert_eq!(statuses, ["updated", "unchanged", "created"]);
        assert_eq!(app.admin().get("/v1/users/ext:x0").expect(200).json["attributes"]["department"], "Law");
    }

    /// A thousand users need a handful of statements, and as many for those that exist.
    fn a_thousand_users_need_few_statements(app) {
        // The log-in does not count.
        app.admin();
        let users: Vec<Value> = (0..1000).map(person).collect();
        let (made, answer) = app.statements(|| app.admin().post("/v1/users/bulk", json!({"users": users})).expect(200));
        assert_eq!(answer.json["counts"]["created"], 1000);
        assert!(made <= 16, "{made} statements");
        let changed: Vec<Value> = users.iter().cloned().map(|mut u| { u["locale"] = json!("fr"); u }).collect();
        let (done, answer) = app.statements(|| app.admin().post("/v1/users/bulk", json!({"users": changed, "mode": "upsert"})).expect(200));
        assert_eq!(answer.json["counts"]["updated"], 1000);
        assert!(done <= 16, "{done} statements");
        app.admin().post("/v1/users/bulk", json!({"users": (0..1001).map(person).collect::<Vec<_>>()})).problem(422, "validation_failed");
    }

    /// Two swap their e-mails in one call; when one of them is refused, so is the other.
    fn users_swap_what_is_theirs_alone(app) {
        app.admin().post("/v1/users/bulk", json!({"users": [person(0), person(1), person(2)]})).expect(200);
        let with = |n: usize, email: usize| { let mut one = person(n); one["email"] = json!(format!("p{email}@example.org")); one };
        let swap = |users: Value| app.admin().post("/v1/users/bulk", json!({"users": users, "mode": "upsert"})).expect(200).json["counts"].clone();
        assert_eq!(swap(json!([with(0, 1), with(1, 2), with(2, 0), with(3, 9)])), json!({"created": 1, "updated": 3, "unchanged": 0, "error": 0}));
        assert_eq!(app.admin().get("/v1/users/ext:x1").expect(200)["email"], "p2@example.org");
        let mut refused = with(1, 1);
        refused["manager_id"] = json!("0199c0de-0000-7000-8000-000000000009");
        assert_eq!(swap(json!([with(0, 0), refused, with(2, 2)]))["error"], 3);
        assert_eq!(swap(json!([with(0, 0)]))["error"], 1);
    }

    /// Somebody new gets the e-mail or number that another item gives up, whether or not the new one has an external id.
    fn what_is_given_up_goes_to_somebody_new(app) {
        let mut numbered = person(3);
        numbered["employee_number"] = json!("7");
        app.admin().post("/v1/users/bulk", json!({"users": [person(0), person(1), person(2), numbered]})).expect(200);
        let with = |n: usize, email: usize| { let mut one = person(n); one["email"] = json!(format!("p{email}@example.org")); one };
        let mut nameless = with(21, 1);
        nameless.as_object_mut().unwrap().remove("external_id");
        // Told by the number, and with another e-mail: its own goes to one with an external id.
        let by_number = json!({"email": "p13@example.org", "given_name": "P", "family_name": "N3", "employee_number": "7"});
        let users = json!([with(20, 0), nameless, with(0, 10), with(1, 11), with(23, 3), by_number]);
        let dry = app.admin().post("/v1/users/bulk?dry_run=true", json!({"users": users, "mode": "upsert"})).expect(200);
        let done = app.admin().post("/v1/users/bulk", json!({"users": users, "mode": "upsert"})).expect(200);
        assert_eq!(done.json["counts"], json!({"created": 3, "updated": 3, "unchanged": 0, "error": 0}), "{}", done.text());
        assert_eq!(dry.json["counts"], done.json["counts"]);
        for (id, email) in [("x20", "p0@example.org"), ("x0", "p10@example.org"), ("x1", "p11@example.org"), ("x23", "p3@example.org"), ("x3", "p13@example.org")] {
            assert_eq!(app.admin().get(&format!("/v1/users/ext:{id}")).expect(200)["email"], email);
        }
        assert_eq!(app.admin().all("/v1/users").iter().filter(|user| user["email"] == "p1@example.org").count(), 1);
        // What is kept, or given up by an item that is refused, is nobody else's; without `upsert` nothing is given up.
        let run = |users: Value, mode: &str| app.admin().post("/v1/users/bulk", json!({"users": users, "mode": mode})).expect(200).json["counts"].clone();
        let mut refused = with(2, 12);
        refused["manager_id"] = json!("ext:nobody");
        assert_eq!(run(json!([with(30, 2), refused]), "upsert")["error"], 2);
        assert_eq!(run(json!([with(30, 2)]), "upsert")["error"], 1);
        assert_eq!(run(json!([with(30, 2), with(2, 12)]), "create")["error"], 2);
    }

    /// Managers and units are named by external id too, one by one and in bulk.
    fn bodies_name_others_by_external_id(app) {
        app.admin().post("/v1/groups", json!({"name": "Lyon", "kind": "unit", "external_id": "lyon"})).expect(201);
        let boss = app.admin().post("/v1/users", person(0)).expect(201).id();
        let mut report = person(1);
        (report["manager_id"], report["unit_id"]) = (json!("ext:x0"), json!("ext:lyon"));
        assert_eq!(app.admin().post("/v1/users", report.clone()).expect(201)["manager_id"], boss.as_str());
        report["email"] = json!("other@example.org");
        report["external_id"] = json!("x5");
        for (field, value) in [("manager_id", "ext:nobody"), ("unit_id", "ext:nowhere"), ("manager_id", "nonsense")] {
            let mut wrong = report.clone();
            wrong[field] = json!(value);
            assert_eq!(app.admin().post("/v1/users", wrong.clone()).faults(), [format!("/{field}")]);
            let done = app.admin().post("/v1/users/bulk", json!({"users": [wrong]})).expect(200);
            assert_eq!(done["results"][0]["error"]["errors"][0]["pointer"], format!("/{field}"));
        }
        let done = app.admin().post("/v1/users/bulk", json!({"users": [report]})).expect(200);
        assert_eq!(done["counts"]["created"], 1);
        let made = app.admin().get("/v1/users/ext:x5").expect(200);
        assert_eq!(made["manager_id"], boss.as_str());
        assert_eq!(app.admin().all("/v1/groups/ext:lyon/members").len(), 2);
        app.admin().patch("/v1/users/ext:x5", json!({"manager_id": "ext:x1"})).expect(200);
        app.admin().patch("/v1/users/ext:x0", json!({"manager_id": "ext:x5"})).problem(422, "validation_failed");
        assert_eq!(app.admin().patch("/v1/users/ext:x5", json!({"manager_id": null})).expect(200)["manager_id"], Value::Null);
    }

    /// A whole tree fits in one call.
    fn a_tree_of_groups_fits_in_one_call(app) {
        let groups = json!([
            {"name": "Acme", "kind": "unit", "external_id": "acme"},
            {"name": "Lyon", "kind": "unit", "external_id": "lyon", "parent_id": "ext:acme"},
            {"name": "Lost", "kind": "unit", "parent_id": "ext:nowhere"}
        ]);
        let done = app.admin().post("/v1/groups/bulk", json!({"groups": groups, "mode": "upsert"})).expect(200);
        assert_eq!(done.json["counts"], json!({"created": 2, "updated": 0, "unchanged": 0, "error": 1}));
        assert_eq!(app.admin().get("/v1/groups/ext:lyon").expect(200).json["depth"], 2);
        let renamed = json!([{"name": "Lyon Sud", "kind": "unit", "external_id": "lyon", "parent_id": "ext:acme"}]);
        let done = app.admin().post("/v1/groups/bulk", json!({"groups": renamed, "mode": "upsert"})).expect(200);
        assert_eq!(done.json["results"][0]["status"], "updated");
        assert_eq!(app.admin().get("/v1/groups/ext:lyon").expect(200).json["name"], "Lyon Sud");
    }

    /// Pairs of course and learner, with seats counted across the call.
    fn learners_are_enrolled_in_bulk(app) {
        let users: Vec<Value> = (0..5).map(person).collect();
        app.admin().post("/v1/users/bulk", json!({"users": users})).expect(200);
        let course = app.course_with(json!({"title": "Few seats", "style": "linear_autoplay", "seats": 3}), &json!({"stages": [sequence("s", "linear", vec![article("read")])]}));
        let mut items: Vec<Value> = (0..5).map(|n| json!({"course_id": course, "user_id": format!("ext:x{n}")})).collect();
        items.push(json!({"course_id": course, "user_id": "ext:nobody"}));
        items.push(json!({"course_id": course, "user_id": "ext:x0"}));
        let dry = app.admin().post("/v1/enrollments/bulk?dry_run=true", json!({"enrollments": items})).expect(200);
        assert_eq!(dry.json["counts"], json!({"created": 5, "updated": 0, "unchanged": 1, "error": 1}));
        let done = app.admin().post("/v1/enrollments/bulk", json!({"enrollments": items})).expect(200);
        assert_eq!(done.json["counts"], dry.json["counts"]);
        let waiting = app.admin().all(&format!("/v1/courses/{course}/enrollments?status=waitlisted"));
        assert_eq!(waiting.len(), 2);
    }
}
