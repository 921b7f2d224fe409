//! Delegated administration, roles by scope, managers and their reports.

use crate::support::json;

both! {
    /// A partner's admin sees and changes the people of their unit tree and nobody else.
    fn a_unit_admin_sees_their_unit_only(app) {
        let admin = app.admin();
        let unit = admin.post("/v1/groups", json!({"name": "Acme", "kind": "unit"})).expect(201).id();
        let below = admin.post("/v1/groups", json!({"name": "Lyon", "kind": "unit", "parent_id": unit})).expect(201).id();
        let other = admin.post("/v1/groups", json!({"name": "Beta", "kind": "unit"})).expect(201).id();
        let (boss, inside, outside) = (app.user("boss"), app.user("inside"), app.user("outside"));
        admin.put(&format!("/v1/groups/{below}/members/{}", inside.id()), json!({})).expect(204);
        admin.put(&format!("/v1/groups/{other}/members/{}", outside.id()), json!({})).expect(204);
        boss.get("/v1/users").problem(403, "forbidden");
        let role = json!({"role": "admin", "scope": {"kind": "unit", "id": unit}});
        let granted = admin.post(&format!("/v1/users/{}/roles", boss.id()), role.clone()).expect(201);
        admin.post(&format!("/v1/users/{}/roles", boss.id()), role).problem(409, "conflict");

        let seen = boss.all("/v1/users");
        assert_eq!(seen.iter().map(|u| u["id"].as_str().unwrap()).collect::<Vec<_>>(), [inside.id()]);
        boss.get(&format!("/v1/users/{}", outside.id())).problem(404, "not_found");
        boss.patch(&format!("/v1/users/{}", outside.id()), json!({"given_name": "X"})).problem(404, "not_found");
        boss.patch(&format!("/v1/users/{}", inside.id()), json!({"given_name": "X"})).expect(200);
        boss.patch(&format!("/v1/users/{}", inside.id()), json!({"roles": ["author"]})).problem(403, "forbidden");

        // Groups likewise.
        assert_eq!(boss.all("/v1/groups").len(), 2);
        boss.get(&format!("/v1/groups/{other}")).problem(404, "not_found");
        boss.put(&format!("/v1/groups/{unit}/members/{}", outside.id()), json!({})).problem(404, "not_found");
        boss.post("/v1/groups", json!({"name": "Top", "kind": "unit"})).problem(403, "forbidden");
        boss.post("/v1/groups", json!({"name": "Below", "kind": "unit", "parent_id": below})).expect(201);
        boss.delete(&format!("/v1/groups/{unit}")).problem(403, "forbidden");

        // New users join the unit; others cannot be made.
        let person = json!({"email": "new@acme.example", "given_name": "N", "family_name": "W"});
        boss.post("/v1/users", person.clone()).problem(422, "validation_failed");
        let mut there = person.clone();
        there["unit_id"] = json!(other);
        boss.post("/v1/users", there).problem(422, "validation_failed");
        let mut here = person;
        here["unit_id"] = json!(below);
        boss.post("/v1/users", here).expect(201);
        assert_eq!(boss.all("/v1/users").len(), 2);

        // Whoever holds more than the administrator is not theirs to change.
        admin.patch(&format!("/v1/users/{}", inside.id()), json!({"roles": ["author"]})).expect(200);
        boss.patch(&format!("/v1/users/{}", inside.id()), json!({"password": "another-long-one"})).problem(403, "forbidden");

        let id = granted.id();
        admin.delete(&format!("/v1/users/{}/roles/{id}", boss.id())).expect(204);
        boss.get(&format!("/v1/users/{}", inside.id())).problem(404, "not_found");
    }

    /// Enrollments of the unit's people are seen, those of others not.
    fn a_unit_admin_sees_the_learning_of_their_people(app) {
        use crate::support::factory::{article, sequence};
        let admin = app.admin();
        let unit = admin.post("/v1/groups", json!({"name": "Acme", "kind": "unit"})).expect(201).id();
        let (boss, inside, outside) = (app.user("boss"), app.user("inside"), app.user("outside"));
        admin.put(&format!("/v1/groups/{unit}/members/{}", inside.id()), json!({})).expect(204);
        admin.post(&format!("/v1/users/{}/roles", boss.id()), json!({"role": "admin", "scope": {"kind": "unit", "id": unit}})).expect(201);
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![article("read")])]}));
        let (theirs, hidden) = (inside.enroll(&course), outside.enroll(&course));
        let seen = boss.all("/v1/enrollments");
        assert_eq!(seen.iter().map(|e| e["id"].as_str().unwrap()).collect::<Vec<_>>(), [theirs.as_str()]);
        boss.get(&format!("/v1/enrollments/{theirs}/path")).expect(200);
        boss.get(&format!("/v1/enrollments/{hidden}/path")).problem(404, "not_found");
        let results = boss.post("/v1/enrollments/bulk", json!({"enrollments": [
            {"course_id": course, "user_id": inside.id()}, {"course_id": course, "user_id": outside.id()}]})).expect(200);
        assert_eq!(results.json["results"][0]["status"], "unchanged");
        assert_eq!(results.json["results"][1]["status"], "error");
    }

    /// Reports are those below, directly or all the way down.
    fn managers_have_reports(app) {
        let top = app.user("top");
        let mid = app.user_with("mid", json!({"manager_id": top.id()}));
        let low = app.user_with("low", json!({"manager_id": mid.id()}));
        let ids = |path: String| {
            top.all(&path).iter().map(|u| u["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(ids(format!("/v1/users/{}/reports", top.id())), [mid.id()]);
        assert_eq!(ids(format!("/v1/users/{}/reports?depth=all", top.id())), [mid.id(), low.id()]);
        mid.get(&format!("/v1/users/{}/reports", top.id())).problem(404, "not_found");
    }

    /// Roles are granted within limits.
    fn roles_are_granted_within_limits(app) {
        let ada = app.user("ada");
        let path = format!("/v1/users/{}/roles", ada.id());
        app.admin().post(&path, json!({"role": "learner", "scope": {"kind": "unit"}})).problem(422, "validation_failed");
        let machine = app.machine(&["users:write", "users:read"]);
        machine.post(&path, json!({"role": "admin", "scope": {"kind": "site"}})).problem(403, "forbidden");
        ada.post(&path, json!({"role": "author", "scope": {"kind": "site"}})).problem(403, "forbidden");
        app.admin().post(&path, json!({"role": "author", "scope": {"kind": "site"}})).expect(201);
        assert_eq!(app.admin().all(&path).len(), 2);
    }

    /// Who reaches beyond the unit, as somebody's manager or as a member elsewhere, is not the unit's admin's to change: with the account
    /// would come what it sees.
    fn a_unit_admin_changes_nobody_who_reaches_beyond_the_unit(app) {
        let admin = app.admin();
        let unit = |name: &str, parent: Option<&str>| admin.post("/v1/groups", json!({"name": name, "kind": "unit", "parent_id": parent})).expect(201).id();
        let acme = unit("Acme", None);
        let (lyon, beta) = (unit("Lyon", Some(&acme)), unit("Beta", None));
        let boss = app.user("boss");
        admin.post(&format!("/v1/users/{}/roles", boss.id()), json!({"role": "admin", "scope": {"kind": "unit", "id": acme}})).expect(201);
        let join = |unit: &str, user: &str| drop(admin.put(&format!("/v1/groups/{unit}/members/{user}"), json!({})).expect(204));
        let (chief, lead, own, rep) = (app.user("chief"), app.user("lead"), app.user("own"), app.user("rep"));
        for (unit, user) in [(&acme, &chief), (&lyon, &lead), (&lyon, &own), (&beta, &rep)] {
            join(unit, user.id());
        }
        let report = |user: &str, to: &str| drop(admin.patch(&format!("/v1/users/{user}"), json!({"manager_id": to})).expect(200));
        let take = |user: &str| boss.patch(&format!("/v1/users/{user}"), json!({"password": "hackhackhack"}));
        report(lead.id(), chief.id());
        report(own.id(), lead.id());
        // Whom they lead is all within the unit, the unit's admin beside.
        report(boss.id(), chief.id());
        take(chief.id()).expect(200);
        report(rep.id(), lead.id());
        take(lead.id()).problem(403, "forbidden");
        take(chief.id()).problem(403, "forbidden");
        take(own.id()).expect(200);
        let upsert = |user: &crate::support::Client| {
            let body = json!({"email": user.get("/v1/me").expect(200)["email"], "given_name": "X", "family_name": "Y"});
            boss.post("/v1/users/bulk", json!({"users": [body], "mode": "upsert"})).expect(200)["results"][0]["status"].clone()
        };
        assert_eq!(upsert(&app.acting_as(lead.id())), "error");
        assert_eq!(upsert(&app.acting_as(own.id())), "updated");
        // Nor does the unit's admin see people elsewhere through who leads them.
        let led = |by: &crate::support::Client| by.all(&format!("/v1/users/{}/reports?depth=all", lead.id())).len();
        assert_eq!((led(&boss), led(admin), led(&app.acting_as(lead.id())), led(&app.acting_as(chief.id()))), (1, 2, 2, 2));
        join(&beta, own.id());
        take(own.id()).problem(403, "forbidden");
        assert_eq!(upsert(&app.acting_as(own.id())), "error");
    }

    /// However long the chain of managers is: who is below is seen, and no circle is closed.
    fn chains_of_managers_have_no_end_that_nobody_sees(app) {
        let row = |n: usize| json!({"external_id": format!("h{n}"), "email": format!("h{n}@example.org"), "given_name": "H", "family_name": "N",
            "manager_external_id": if n == 0 { None } else { Some(format!("h{}", n - 1)) }});
        crate::sync::apply(app, &crate::sync::plan(app, &(0..400).map(row).collect::<Vec<_>>(), json!({})));
        assert_eq!(app.admin().all("/v1/users/ext:h0/reports?depth=all&limit=200").len(), 399);
        for below in ["h50", "h51", "h399"] {
            let closing = app.admin().patch("/v1/users/ext:h0", json!({"manager_id": format!("ext:{below}")})).problem(422, "validation_failed");
            assert_eq!(closing["errors"][0]["code"], "cycle", "{below}");
        }
        let top = app.acting_as(&app.admin().get("/v1/users/ext:h0").expect(200).id());
        top.get("/v1/users/ext:h399").expect(200);
    }
}
