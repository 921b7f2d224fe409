//! Users: made, changed, found, listed, and who may.

use crate::support::{Value, json};

both! {
    fn a_user_is_made_read_and_changed(app) {
        let admin = app.admin();
        let made = admin.post("/v1/users", json!({
            "email": "Ada@Example.org", "given_name": "Ada", "family_name": "Lovelace", "external_id": "hr-17", "roles": ["learner", "author"],
            "attributes": {"department": "Sales", "site": "Lyon"}, "locale": "fr", "time_zone": "Europe/Paris"})).expect(201);
        let id = made.id();
        assert_eq!(made.header("location"), Some(format!("/v1/users/{id}").as_str()));
        assert_eq!((&made["state"], &made["roles"], &made["email"]), (&json!("active"), &json!(["author", "learner"]), &json!("Ada@Example.org")));
        assert!(!made.text().contains("password"));

        let read = admin.get("/v1/users/ext:hr-17").expect(200);
        assert_eq!(read.json, made.json);
        let tag = read.header("etag").unwrap().to_owned();
        admin.call("GET", "/v1/users/ext:hr-17", None, &[("if-none-match", &tag)]).expect(304);

        let patch = |body: Value, tag: &str| admin.call("PATCH", &format!("/v1/users/{id}"), Some(body), &[("if-match", tag)]);
        let changed = patch(json!({"attributes": {"site": null, "floor": 3}, "locale": null}), &tag).expect(200);
        assert_eq!((&changed["attributes"], &changed["locale"], &changed["time_zone"]), (&json!({"department": "Sales", "floor": 3}), &Value::Null, &json!("Europe/Paris")));
        let now = changed.header("etag").unwrap().to_owned();
        assert_ne!(now, tag);
        let stale = patch(json!({"given_name": "Augusta"}), &tag).problem(412, "precondition_failed");
        assert_eq!(stale.header("etag"), Some(now.as_str()), "the current tag comes along");
        patch(json!({"given_name": "Augusta"}), "*").expect(200);
    }

    /// The tag covers all that is shown, also what comes and goes without a new version.
    fn a_role_changes_the_tag(app) {
        let ada = app.user("ada");
        let path = format!("/v1/users/{}", ada.id());
        let read = |tag: &str| app.admin().call("GET", &path, None, &[("if-none-match", tag)]);
        let first = app.admin().get(&path).expect(200).header("etag").unwrap().to_owned();
        read(&first).expect(304);
        let role = json!({"role": "author", "scope": {"kind": "site"}});
        let role = app.admin().post(&format!("{path}/roles"), role).expect(201).id();
        let second = read(&first).expect(200);
        assert_eq!(second["roles"], json!(["author", "learner"]));
        let second = second.header("etag").unwrap().to_owned();
        app.admin().call("PATCH", &path, Some(json!({"roles": ["learner"]})), &[("if-match", &first)]).problem(412, "precondition_failed");
        app.admin().delete(&format!("{path}/roles/{role}")).expect(204);
        read(&second).expect(200);
        // Taken away again, all is as it was.
        read(&first).expect(304);
        app.admin().patch(&path, json!({"password": "a-long-password"})).expect(200);
        let third = read(&first).expect(200).header("etag").unwrap().to_owned();
        let email = app.admin().get(&path).expect(200)["email"].as_str().unwrap().to_owned();
        app.anyone().login(&email, "a-long-password");
        assert!(read(&third).expect(200)["last_login_at"].is_string());
    }

    /// Of two who are made each other's managers at once, one is.
    fn nobody_becomes_their_own_manager_at_once(app) {
        for _ in 0..8 {
            let pair = [app.user("a"), app.user("b")];
            let (admin, both) = (app.admin(), [(pair[0].id(), pair[1].id()), (pair[1].id(), pair[0].id())]);
            let statuses: Vec<u16> = std::thread::scope(|scope| {
                let one = |(user, manager): (&str, &str)| {
                    let (admin, path, body) = (admin.clone(), format!("/v1/users/{user}"), json!({"manager_id": manager}));
                    scope.spawn(move || admin.patch(&path, body).status)
                };
                let all: Vec<_> = both.map(one).into_iter().collect();
                all.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert!(statuses.contains(&200) && statuses.contains(&422), "{statuses:?}");
        }
    }

    /// Whose data was erased is nobody's manager and in no group, by whatever way.
    fn the_erased_are_nobodys_manager(app) {
        let admin = app.admin();
        let gone = app.user_with("gone", json!({"external_id": "k9"}));
        let user = app.user_with("ada", json!({"external_id": "k1"}));
        let group = admin.post("/v1/groups", json!({"name": "G", "kind": "static"})).expect(201).id();
        let plan = json!({"employees": [{"external_id": "k1", "email": "k1@example.org", "given_name": "K", "family_name": "K", "manager_external_id": "k9"}],
            "options": {"deactivate_missing": false}});
        let plan = format!("/v1/sync/plans/{}", admin.post("/v1/sync/plans", plan).expect(201).id());
        admin.post(&format!("/v1/users/{}/erase", gone.id()), json!({"confirm": gone.id()})).expect(200);
        admin.post(&format!("{plan}/apply"), json!({})).expect(202);
        app.work();
        assert_eq!(admin.get(&plan).expect(200)["progress"], json!({"total": 1, "done": 1, "conflicts": 1}));
        let row = &admin.all(&format!("{plan}/rows"))[0];
        assert_eq!(row["errors"][0]["column"], "manager_external_id");
        let path = format!("/v1/users/{}", user.id());
        assert_eq!(admin.patch(&path, json!({"manager_id": gone.id()})).faults(), ["/manager_id"]);
        let new = json!({"email": "new@example.org", "given_name": "N", "family_name": "N", "manager_id": gone.id()});
        assert_eq!(admin.post("/v1/users", new.clone()).faults(), ["/manager_id"]);
        assert_eq!(admin.post("/v1/users/bulk", json!({"users": [new]})).expect(200)["counts"]["error"], 1);
        let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";
        let patch = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{"op": "add", "path": urn, "value": {"value": gone.id()}}]});
        admin.patch(&format!("/scim/v2/Users/{}", user.id()), patch).expect(400);
        admin.put(&format!("/v1/groups/{group}/members/{}", gone.id()), json!({})).problem(409, "wrong_state");
        assert_eq!(admin.get(&path).expect(200)["manager_id"], Value::Null);
        assert!(admin.all(&format!("/v1/groups/{group}/members")).is_empty());
    }

    fn names_have_no_control_characters(app) {
        let made = json!({"email": "bell@example.org", "given_name": "A\u{7}da", "family_name": "B\nC"});
        assert_eq!(app.admin().post("/v1/users", made).faults(), ["/family_name", "/given_name"]);
    }

    fn what_must_be_unique_is(app) {
        let admin = app.admin();
        let user = |email: &str, external: &str| json!({"email": email, "given_name": "A", "family_name": "B", "external_id": external});
        admin.post("/v1/users", user("ada@example.org", "1")).expect(201);
        let taken = admin.post("/v1/users", user("ADA@example.org", "1")).problem(409, "conflict");
        assert_eq!(taken["errors"].as_array().unwrap().len(), 2, "both are named");
        let bob = admin.post("/v1/users", user("bob@example.org", "2")).expect(201).id();
        admin.patch(&format!("/v1/users/{bob}"), json!({"email": "ada@example.org"})).problem(409, "conflict");
        assert_eq!(admin.get(&format!("/v1/users/{bob}")).expect(200)["email"], "bob@example.org");
    }

    fn every_fault_is_named_and_nothing_changes(app) {
        let admin = app.admin();
        let before = admin.all("/v1/users").len();
        let bad = json!({"email": "nobody", "given_name": " ", "family_name": "B", "password": "short", "roles": ["king"], "time_zone": "Mid Earth",
            "attributes": {"deep": {"a": 1}}, "shoe_size": 44});
        let faults = admin.post("/v1/users", bad).faults();
        for pointer in ["/email", "/given_name", "/password", "/roles/0", "/time_zone", "/attributes/deep", "/shoe_size"] {
            assert!(faults.iter().any(|f| f == pointer), "{pointer} in {faults:?}");
        }
        assert_eq!(admin.patch(&format!("/v1/users/{}", app.user("x").id()), json!({"email": null, "state": null})).faults(), ["/email", "/state"]);
        assert_eq!(admin.all("/v1/users").len(), before + 1);
    }

    fn somebody_administers_the_site_always(app) {
        let admin = app.admin();
        let id = admin.get("/v1/me").expect(200).id();
        let this = format!("/v1/users/{id}");
        for change in [json!({"roles": ["learner"]}), json!({"state": "suspended"}), json!({"state": "left"})] {
            let refused = admin.patch(&this, change).problem(409, "wrong_state");
            assert_eq!(refused["reason"], "last_admin");
        }
        let item = json!({"email": admin.get(&this).expect(200)["email"], "given_name": "A", "family_name": "B", "roles": ["author"]});
        let done = admin.post("/v1/users/bulk", json!({"mode": "upsert", "users": [item]})).expect(200);
        assert_eq!(done["results"][0]["error"]["code"], "wrong_state");
        assert_eq!(admin.get(&this).expect(200)["roles"], json!(["admin"]));

        let second = app.staff("admin");
        second.patch(&this, json!({"roles": ["learner"]})).expect(200);
        second.patch(&format!("/v1/users/{}", second.id()), json!({"state": "left"})).problem(409, "wrong_state");
    }

    fn a_chain_of_managers_has_no_ring(app) {
        let (a, b) = (app.user("a"), app.user("b"));
        let set = |who: &str, manager: &str| app.admin().patch(&format!("/v1/users/{who}"), json!({"manager_id": manager}));
        set(b.id(), a.id()).expect(200);
        assert_eq!(set(a.id(), b.id()).faults(), ["/manager_id"]);
        assert_eq!(set(a.id(), a.id()).faults(), ["/manager_id"]);
        assert_eq!(set(a.id(), "0199c0de-0000-7000-8000-000000000001").faults(), ["/manager_id"]);
    }

    fn lists_come_in_pages_that_stay_stable(app) {
        let admin = app.admin();
        for n in 0..7 {
            app.user_with(&format!("u{n}"), json!({"attributes": {"n": n}}));
        }
        let first = admin.get("/v1/users?limit=3").expect(200);
        let next = first["next"].as_str().unwrap();
        assert_eq!(first.header("link"), Some(format!("</v1/users?limit=3&after={next}>; rel=\"next\"").as_str()));
        app.user("late");
        let all = admin.all("/v1/users?limit=3");
        let mut ids: Vec<&str> = all.iter().map(|u| u["id"].as_str().unwrap()).collect();
        ids.dedup();
        assert_eq!(ids.len(), 9, "the admin, seven and the late one, each once");
        assert_eq!(admin.all("/v1/users?role=admin").len(), 1);
        assert_eq!(admin.all("/v1/users?state=suspended").len(), 0);
        let since = all[4]["updated_at"].as_str().unwrap();
        assert_eq!(admin.all(&format!("/v1/users?updated_since={since}")).len(), 5);
        let faults = admin.get("/v1/users?limit=0&after=nonsense").faults();
        assert_eq!(faults, ["?after", "?limit"]);
        assert_eq!(admin.get("/v1/users?colour=red&state=happy").faults(), ["?colour", "?state"]);
        assert_eq!(admin.get("/v1/users?limit=1&limit=2").faults(), ["?limit"]);
    }

    fn who_may_see_and_change_users(app) {
        let (ada, boss) = (app.user("ada"), app.user("boss"));
        let report = app.user_with("report", json!({"manager_id": boss.id()}));
        let below = app.user_with("below", json!({"manager_id": report.id()}));
        ada.get(&format!("/v1/users/{}", ada.id())).expect(200);
        ada.get(&format!("/v1/users/{}", boss.id())).problem(404, "not_found");
        ada.get("/v1/users").problem(403, "forbidden");
        let refused = ada.patch(&format!("/v1/users/{}", ada.id()), json!({"roles": ["admin"]})).problem(403, "forbidden");
        assert_eq!(refused["missing"]["roles"], json!(["admin"]));
        boss.get(&format!("/v1/users/{}", below.id())).expect(200);
        let seen: Vec<String> = boss.all("/v1/users").iter().map(|u| u["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(seen, [report.id(), below.id()], "a manager lists everybody below");
        let reader = app.machine(&["users:read"]);
        reader.get("/v1/users").expect(200);
        let refused = reader.post("/v1/users", json!({"email": "x@y.z", "given_name": "X", "family_name": "Y"})).problem(403, "forbidden");
        assert_eq!(refused["missing"]["scope"], "users:write");
    }

    fn a_person_changes_their_own_profile_and_password(app) {
        let admin = app.admin();
        admin.post("/v1/users", json!({"email": "eve@example.org", "given_name": "Eve", "family_name": "E", "password": "old-password"})).expect(201);
        let eve = app.anyone().login("eve@example.org", "old-password");
        assert_eq!(eve.patch("/v1/me", json!({"locale": "de"})).expect(200)["locale"], "de");
        assert_eq!(eve.patch("/v1/me", json!({"email": "new@example.org"})).faults(), ["/email"]);
        eve.patch("/v1/me", json!({"password": "new-password"})).problem(403, "forbidden");
        eve.patch("/v1/me", json!({"password": "new-password", "current_password": "wrong-password"})).problem(403, "forbidden");
        let other = app.anyone().login("eve@example.org", "old-password");
        eve.patch("/v1/me", json!({"password": "new-password", "current_password": "old-password"})).expect(200);
        other.get("/v1/me").problem(401, "unauthenticated");
        eve.get("/v1/me").expect(200);
        app.anyone().login("eve@example.org", "new-password");
    }

    fn who_leaves_is_out_at_once_and_who_comes_back_is_the_same(app) {
        let admin = app.admin();
        let id = admin.post("/v1/users", json!({"email": "lee@example.org", "given_name": "Lee", "family_name": "L", "password": "lee-password"})).expect(201).id();
        let lee = app.anyone().login("lee@example.org", "lee-password");
        admin.patch(&format!("/v1/users/{id}"), json!({"state": "left"})).expect(200);
        lee.get("/v1/me").problem(401, "unauthenticated");
        app.anyone().post("/v1/sessions", json!({"email": "lee@example.org", "password": "lee-password"})).problem(401, "invalid_credentials");
        admin.patch(&format!("/v1/users/{id}"), json!({"state": "active"})).expect(200);
        assert_eq!(app.anyone().login("lee@example.org", "lee-password").get("/v1/me").expect(200).id(), id);
    }

    /// Nobody takes their own admin role, whichever way they try; another admin may, and other items of a bulk call stand.
    fn nobody_takes_their_own_admin_role(app) {
        let admin = app.admin();
        let me = admin.get("/v1/me").expect(200);
        let demoted = json!({"email": me["email"], "given_name": "F", "family_name": "A", "roles": ["learner"]});
        let good = json!({"email": "good@example.org", "given_name": "G", "family_name": "G"});
        for others in [false, true] {
            if others {
                app.user_with("second", json!({"roles": ["admin"]}));
            }
            let own = admin.patch(&format!("/v1/users/{}", me.id()), json!({"roles": ["learner"]})).problem(409, "wrong_state");
            let why = if others { "their own admin role" } else { "nobody who administers" };
            assert!(own["detail"].as_str().unwrap().contains(why), "{}", own.text());
            let done = admin.post("/v1/users/bulk", json!({"mode": "upsert", "users": [good, demoted]})).expect(200);
            assert_eq!((&done["results"][1]["status"], &done["results"][1]["error"]["code"]), (&json!("error"), &json!("wrong_state")));
            admin.get("/v1/users?email=good@example.org").expect(200)["items"][0]["id"].as_str().unwrap();
        }
        admin.patch(&format!("/v1/users/{}", me.id()), json!({"roles": ["learner", "admin"]})).expect(200);
        let third = app.user_with("third", json!({"roles": ["admin"]}));
        third.patch(&format!("/v1/users/{}", me.id()), json!({"roles": ["learner"]})).expect(200);
    }

    /// An external id is one that a list can name too.
    fn external_ids_have_no_space_at_their_ends(app) {
        for id in [" hr1", "hr1 ", "\thr1"] {
            let body = json!({"email": "a@example.org", "given_name": "A", "family_name": "B", "external_id": id, "employee_number": id});
            assert_eq!(app.admin().post("/v1/users", body).faults(), ["/employee_number", "/external_id"], "{id:?}");
        }
    }
}
