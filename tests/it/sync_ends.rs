//! How plans of the HR sync end: the last admin stays, what fails for good ends the plan, and who applied it stands in the audit log.

use cairn::db::schema::jobs;
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};

use crate::support::{TestApp, Value, json};
use crate::sync::{apply, counts, plan, rows, staff};

const LAST: &str = "This would leave nobody who administers the site.";

/// Nobody works any more on what waits, as after the last attempt.
fn give_up(app: &TestApp) {
    let given_up = |conn: &mut cairn::db::Conn| {
        let these = jobs::table.filter(jobs::kind.eq(cairn::features::sync::JOB));
        diesel::update(these).set((jobs::state.eq("failed"), jobs::dedup_key.eq(None::<String>))).execute(conn)?;
        Ok(())
    };
    app.state.db.write_here(given_up).unwrap();
}

fn path(plan: &Value) -> String {
    format!("/v1/sync/plans/{}", plan["id"].as_str().unwrap())
}

both! {
    /// Whoever is the last to administer the site stays, in the plan already; the other rows are applied.
    fn the_last_admin_stays_and_the_rest_is_applied(app) {
        let me = app.admin().get("/v1/me").expect(200).id();
        app.admin().patch(&format!("/v1/users/{me}"), json!({"external_id": "boss"})).expect(200);
        apply(app, &plan(app, &staff(0..20), json!({"deactivate_missing": false})));
        for row in [None, Some(json!({"external_id": "boss", "active": false}))] {
            let list: Vec<Value> = staff(0..21).into_iter().chain(row).collect();
            let made = plan(app, &list, json!({}));
            assert_eq!((made["state"].as_str(), &made["progress"]["conflicts"]), (Some("ready"), &json!(1)), "{made:#}");
            let refused = &rows(app, &made, "action=deactivate")[0];
            assert_eq!((&refused["state"], &refused["errors"][0]["detail"]), (&json!("conflict"), &json!(LAST)));
            apply(app, &made);
            app.admin().get("/v1/users/ext:hr-20").expect(200);
        }
        assert_eq!(app.admin().get("/v1/users/ext:boss").expect(200)["state"], "active");
    }

    /// Who was one of two when the plan was made, and is the last when it is applied, stays too; and who was to get what they would
    /// have given up does without.
    fn who_becomes_the_last_admin_meanwhile_stays(app) {
        let me = app.admin().get("/v1/me").expect(200).id();
        app.admin().patch(&format!("/v1/users/{me}"), json!({"external_id": "boss"})).expect(200);
        let other = app.user_with("other", json!({"roles": ["admin"]}));
        let mut list = staff(0..3);
        list[0]["email"] = json!("admin@example.org");
        let made = plan(app, &list, json!({"max_deactivate_percent": 100}));
        assert_eq!(made["progress"]["conflicts"], 0);
        app.admin().patch(&format!("/v1/users/{}", other.id()), json!({"state": "suspended"})).expect(200);
        let done = apply(app, &made);
        assert_eq!(done["progress"], json!({"total": 4, "done": 4, "conflicts": 2}));
        let refused = rows(app, &made, "state=conflict");
        assert!(refused.iter().any(|row| row["errors"][0]["detail"] == LAST), "{refused:#?}");
        assert_eq!(app.admin().get("/v1/users/ext:boss").expect(200)["state"], "active");
        app.admin().get("/v1/users/ext:hr-1").expect(200);
        app.admin().get("/v1/users/ext:hr-0").problem(404, "not_found");
    }

    /// A plan whose job was given up, or is gone, has failed: it says so, row by row, and others can be applied.
    fn a_plan_that_nobody_works_on_fails_and_is_in_nobody_s_way(app) {
        let (first, second) = (plan(app, &staff(0..450), json!({})), plan(app, &staff(0..2), json!({})));
        app.admin().post(&format!("{}/apply", path(&first)), json!({})).expect(202);
        assert!(cairn::features::sync::apply_piece(&app.state, first["id"].as_str().unwrap().parse().unwrap()).unwrap());
        app.admin().post(&format!("{}/apply", path(&second)), json!({})).problem(409, "wrong_state");
        give_up(app);
        app.advance(60);
        app.work();
        let failed = app.admin().get(&path(&first)).expect(200);
        assert_eq!((&failed["state"], &failed["progress"]["done"]), (&json!("failed"), &json!(200)));
        assert!(failed["failure"].as_str().unwrap().contains("gave up"), "{}", failed["failure"]);
        assert_eq!(rows(app, &first, "state=skipped").len(), 250);
        assert_eq!(rows(app, &first, "state=applied").len(), 200);
        app.admin().post(&format!("{}/apply", path(&first)), json!({})).problem(409, "wrong_state");
        assert_eq!(app.admin().get("/v1/audit?action=sync.failed").expect(200)["items"].as_array().unwrap().len(), 1);
        app.admin().get("/v1/users/ext:hr-449").problem(404, "not_found");
        apply(app, &second);
        // Nor need anybody wait for the worker to notice.
        let (third, fourth) = (plan(app, &staff(0..3), json!({"max_deactivate_percent": 100})), plan(app, &staff(0..4), json!({"max_deactivate_percent": 100})));
        app.admin().post(&format!("{}/apply", path(&third)), json!({})).expect(202);
        give_up(app);
        apply(app, &fourth);
        assert_eq!(app.admin().get(&path(&third)).expect(200)["state"], "failed");
    }

    /// What a plan changes was done by whoever applied it.
    fn the_audit_log_names_who_applied_a_plan(app) {
        let machine = app.machine(&["users:write", "users:read"]);
        apply(app, &plan(app, &staff(0..2), json!({})));
        let made = machine.post("/v1/sync/plans", json!({"employees": staff(0..1), "options": {"max_deactivate_percent": 100}})).expect(201).json.clone();
        machine.post(&format!("{}/apply", path(&made)), json!({})).expect(202);
        app.work();
        let actors = |kind: &str| -> Vec<Value> {
            app.admin().all(&format!("/v1/audit?action={kind}")).into_iter().filter(|e| e["request_id"].as_str().is_some_and(|id| id.starts_with("sync:"))).map(|e| e["actor"].clone()).collect()
        };
        let started = app.admin().all("/v1/audit?action=sync.apply_started").into_iter().map(|event| event["actor"].clone()).collect::<Vec<_>>();
        let of = |kind: &str| started.iter().find(|actor| actor["kind"] == kind).cloned().unwrap();
        assert_eq!(actors("user.created"), [of("user"), of("user")]);
        assert_eq!(actors("user.state_changed"), [of("client")]);
        let by = of("client")["id"].as_str().unwrap().to_owned();
        assert!(app.admin().all(&format!("/v1/audit?actor={by}")).iter().any(|event| event["action"] == "user.state_changed"));
        assert_eq!(actors("sync.applied").len(), 2);
    }

    /// A machine that applies an admin's plan changes no admin by it.
    fn a_machine_changes_no_admin_through_an_admin_s_plan(app) {
        let boss = app.user_with("boss", json!({"roles": ["admin"], "external_id": "aa"}));
        let row = json!({"external_id": "aa", "family_name": "Changed"});
        let made = plan(app, &[row], json!({"deactivate_missing": false}));
        let machine = app.machine(&["users:write", "users:read"]);
        machine.post(&format!("{}/apply", path(&made)), json!({})).expect(202);
        app.work();
        assert_eq!(rows(app, &made, "")[0]["errors"][0]["detail"], "Only an admin can change an admin.");
        assert_ne!(app.admin().get(&format!("/v1/users/{}", boss.id())).expect(200)["family_name"], "Changed");
    }

    /// Who was never known and has left is made no more, so is nobody's manager; the plan names the row.
    fn a_manager_who_left_before_they_were_known_is_named(app) {
        apply(app, &plan(app, &staff(0..1), json!({})));
        let mut list = staff(0..4);
        list[0]["active"] = json!(false);
        list[1]["active"] = json!(false);
        list[2]["manager_external_id"] = json!("hr-1");
        list[3]["manager_external_id"] = json!("hr-0");
        let made = plan(app, &list, json!({"max_deactivate_percent": 100, "max_error_percent": 100}));
        assert_eq!(counts(&made), [1, 0, 1, 0, 1, 1]);
        let fault = &rows(app, &made, "action=error")[0]["errors"][0];
        assert_eq!((&fault["column"], &fault["code"]), (&json!("manager_external_id"), &json!("unknown_manager")));
        assert_eq!(apply(app, &made)["progress"]["conflicts"], 0);
        app.admin().get("/v1/users/ext:hr-3").expect(200);
    }

    /// A row gives nobody more attributes than a user may have, and takes nobody's away for that.
    fn a_row_gives_nobody_too_many_attributes(app) {
        let many = |range: std::ops::Range<usize>| range.map(|n| (format!("a{n}"), json!("x"))).collect::<serde_json::Map<_, _>>();
        let mut list = staff(0..2);
        list[0]["attributes"] = many(0..99).into();
        list[1]["attributes"] = many(0..100).into();
        let made = plan(app, &list, json!({"max_error_percent": 100}));
        let fault = &rows(app, &made, "action=error")[0]["errors"][0];
        assert_eq!((&fault["column"], &fault["code"]), (&json!("attributes"), &json!("too_many")));
        apply(app, &made);
        list[0]["attributes"] = json!({"b": "x"});
        assert_eq!(counts(&plan(app, &list[..1], json!({})))[5], 1);
        list[0]["attributes"] = json!({"b": "x", "a1": null});
        assert_eq!(counts(&plan(app, &list[..1], json!({})))[1], 1);
    }

    /// Options of the query count where the body does not speak of them; what both say is refused.
    fn options_of_the_query_are_never_dropped(app) {
        let send = |query: &str, options: Value| app.admin().post(&format!("/v1/sync/plans?{query}"), json!({"employees": staff(0..1), "options": options}));
        let made = send("max_deactivate_percent=3&date_attributes=born", json!({"deactivate_missing": false})).expect(201);
        let options = &made["options"];
        assert_eq!((&options["max_deactivate_percent"], &options["deactivate_missing"], &options["date_attributes"]), (&json!(3.0), &json!(false), &json!(["born"])));
        let faults = send("max_deactivate_percent=3&deactivate_missing=true", json!({"max_deactivate_percent": 5})).faults();
        assert_eq!(faults, ["?max_deactivate_percent"]);
    }
}
