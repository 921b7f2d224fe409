//! What is held on a person, and its erasure.

use crate::support::factory::{article, quiz, right, sequence, unique};
use crate::support::{Value, json};

both! {
    fn a_person_gets_everything_and_nobody_else_does(app) {
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![article("a"), quiz("q", "core", json!({}))])]}));
        let ada = app.user_with("ada", json!({"attributes": {"department": "Sales"}, "password": "correct-horse-9"}));
        let enrollment = ada.enroll(&course);
        ada.open(&enrollment, "a").expect(200);
        ada.attempt(&enrollment, "q", &right());
        for who in [&ada, app.admin()] {
            let export = who.get(&format!("/v1/users/{}/export", ada.id())).expect(200);
            let data = &export["data"];
            assert_eq!(data["users"][0]["attributes"]["department"], "Sales");
            assert!(data["users"][0]["created_at"].as_str().unwrap().starts_with("20"));
            for table in ["role_grants", "sessions", "enrollments", "module_records", "learning_events", "attempts", "events"] {
                assert!(data[table].as_array().is_some_and(|rows| !rows.is_empty()), "{table}");
            }
            assert_eq!(data["attempts"][0]["answers"]["q"], json!(["a"]));
            let text = String::from_utf8_lossy(&export.body).into_owned();
            assert!(!text.contains("argon2") && !text.contains("password_hash"));
        }
        app.user("eve").get(&format!("/v1/users/{}/export", ada.id())).problem(404, "not_found");
        app.machine(&["users:read"]).get(&format!("/v1/users/{}/export", ada.id())).problem(403, "forbidden");
    }

    fn erasure_leaves_nothing_that_names_the_person(app) {
        let course = app.course_with(
            json!({"title": unique("Course "), "style": "linear_autoplay", "issues_certificate": true}),
            &json!({"stages": [sequence("s", "linear", vec![article("a")])]}),
        );
        let external = unique("hr-");
        let ada = app.user_with("Adalovelace", json!({"external_id": external, "attributes": {"department": "Secretdepartment"}}));
        let enrollment = ada.enroll(&course);
        ada.open(&enrollment, "a").expect(200);
        let certificate = app.admin().get(&format!("/v1/certificates?user_id={}", ada.id())).expect(200)["items"][0].clone();
        assert!(certificate.is_object());
        let game = app.admin().post("/v1/games", json!({"title": "Race"})).expect(201).id();
        let award = json!({"user_id": ada.id(), "points": 5, "reason": "For Adalovelace"});
        app.admin().post(&format!("/v1/games/{game}/ledger"), award).expect(201);
        let badge = app.admin().post(&format!("/v1/games/{game}/badges"), json!({"title": "Star"})).expect(201).id();
        let award = json!({"user_id": ada.id(), "reason": "Adalovelace shines"});
        app.admin().post(&format!("/v1/badges/{badge}/awards"), award).expect(200);
        let path = format!("/v1/users/{}/erase", ada.id());
        assert_eq!(app.admin().post(&path, json!({"confirm": app.admin().id()})).faults(), ["/confirm"]);
        assert_eq!(app.admin().post(&path, json!({})).faults(), ["/confirm"]);
        app.staff("manager").post(&path, json!({"confirm": ada.id()})).problem(403, "forbidden");
        app.admin().post(&format!("/v1/users/{}/erase", app.admin().id()), json!({"confirm": app.admin().id()})).faults();

        let done = app.admin().post(&path, json!({"confirm": ada.id()})).expect(200);
        assert_eq!(done["already_erased"], false);
        let again = app.admin().post(&path, json!({"confirm": ada.id()})).expect(200);
        assert_eq!((&again["already_erased"], &again["erased_at"]), (&json!(true), &done["erased_at"]));

        ada.get("/v1/me").problem(401, "unauthenticated");
        let user = app.admin().get(&format!("/v1/users/{}", ada.id())).expect(200);
        assert_eq!((&user["state"], &user["external_id"], &user["attributes"]), (&json!("left"), &json!(null), &json!({})));
        let left = app.admin().get(&format!("/v1/users/{}/export", ada.id())).expect(200);
        let text = String::from_utf8_lossy(&left.body).into_owned();
        for word in ["Adalovelace", "Secretdepartment", external.as_str()] {
            assert!(!text.contains(word), "{word} is still there: {text}");
        }
        for path in [format!("/v1/games/{game}/ledger?user_id={}", ada.id()), format!("/v1/badges/{badge}/awards")] {
            let list = app.admin().get(&path).expect(200);
            assert_eq!(list["items"][0]["reason"], "Erased", "{path}");
        }
        // Statistics stay, and the certificate still verifies, for nobody.
        assert_eq!(app.admin().get(&format!("/v1/enrollments/{enrollment}")).expect(200)["status"], "completed");
        let shown = app.anyone().call("GET", &format!("/verify/{}", certificate["serial"].as_str().unwrap()), None, &[("accept", "application/json")]).expect(200);
        assert_eq!(shown["holder"], "Erased");
        let log = app.admin().get(&format!("/v1/audit?subject={}&action=user.erased", ada.id())).expect(200);
        assert_eq!(log["items"].as_array().unwrap().len(), 1);
    }

    /// Nothing brings back who was erased, and plans of the sync forget them, whether applied or not.
    fn the_erased_stay_erased(app) {
        let number = unique("number-");
        let employee = |name: &str| json!({"employee_number": number, "email": "secretmail@example.org", "given_name": name, "family_name": "Secretname"});
        let plan = |name: &str| {
            let body = json!({"employees": [employee(name)], "options": {"deactivate_missing": false}});
            app.admin().post("/v1/sync/plans", body).expect(201).id()
        };
        let apply = |plan: &str| {
            app.admin().post(&format!("/v1/sync/plans/{plan}/apply"), json!({})).expect(202);
            app.work();
            app.admin().get(&format!("/v1/sync/plans/{plan}")).expect(200)["progress"].clone()
        };
        let first = plan("Secretfirst");
        apply(&first);
        let user = app.admin().get(&format!("/v1/users?employee_number={number}")).expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
        let waiting = plan("Secretlater");
        app.admin().post(&format!("/v1/users/{user}/erase"), json!({"confirm": user})).expect(200);

        for plan in [&first, &waiting] {
            let rows = app.admin().get(&format!("/v1/sync/plans/{plan}/rows")).expect(200);
            assert!(!rows.text().contains("ecret") && !rows.text().contains(&number), "{}", rows.text());
        }
        assert_eq!(apply(&waiting), json!({"total": 1, "done": 1, "conflicts": 1}));
        let path = format!("/v1/users/{user}");
        let erased = app.admin().get(&path).expect(200);
        assert_eq!((&erased["employee_number"], &erased["state"]), (&json!(null), &json!("left")));
        assert!(app.admin().all(&format!("/v1/users?employee_number={number}")).is_empty());
        for change in [json!({"state": "active"}), json!({"external_id": "x"}), json!({"password": "a-new-password"})] {
            app.admin().patch(&path, change).problem(409, "wrong_state");
        }
        app.admin().post(&format!("{path}/roles"), json!({"role": "author", "scope": {"kind": "site"}})).problem(409, "wrong_state");
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![article("a")])]}));
        app.admin().put(&format!("/v1/courses/{course}/staff/{user}"), json!({"role": "instructor"})).problem(409, "wrong_state");
        // Whoever has the number now, or even the address that stands there, is somebody else.
        let address = erased["email"].as_str().unwrap();
        apply(&plan("Another"));
        let other = app.admin().get(&format!("/v1/users?employee_number={number}")).expect(200)["items"][0].clone();
        assert_ne!(other["id"], user.as_str());
        let bulk = json!({"users": [{"email": address, "given_name": "A", "family_name": "B"}], "mode": "upsert"});
        assert_eq!(app.admin().post("/v1/users/bulk", bulk).expect(200)["results"][0]["status"], "error");
        let scim = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": address});
        app.admin().post("/scim/v2/Users", scim).scim_error(400, Some("invalidValue"));
        let list = json!({"employees": [{"email": address, "employee_number": "n", "given_name": "A", "family_name": "B"}], "options": {"deactivate_missing": false}});
        let made = app.admin().post("/v1/sync/plans", list).expect(201).id();
        let row = app.admin().get(&format!("/v1/sync/plans/{made}/rows")).expect(200)["items"][0].clone();
        assert_eq!((&row["state"], &row["errors"][0]["code"]), (&json!("conflict"), &json!("conflict")));
        apply(&made);
        assert_eq!(app.admin().get(&path).expect(200).json, erased.json);
    }

    /// A retry does not make an erased person anew, whatever the first answer was; nothing of the answer is left.
    fn a_retry_does_not_undo_an_erasure(app) {
        let person = |name: &str| json!({"email": format!("{name}@example.org"), "given_name": "Secretname", "family_name": "B"});
        let send = |path: &str, key: &str, body: &Value| app.admin().call("POST", path, Some(body.clone()), &[("idempotency-key", key)]);
        let bulk = json!({"users": [person("two"), person("three")]});
        let erase = |user: &str| app.admin().post(&format!("/v1/users/{user}/erase"), json!({"confirm": user})).expect(200);
        let one = send("/v1/users", "secret-key", &person("one")).expect(201).id();
        let two = send("/v1/users/bulk", "other-key", &bulk).expect(200)["results"][0]["id"].as_str().unwrap().to_owned();
        send("/v1/users", "kept-key", &person("four")).expect(201);
        erase(&one);
        erase(&two);
        for _ in 0..2 {
            let again = send("/v1/users", "secret-key", &person("one")).problem(409, "wrong_state");
            assert_eq!(again["reason"], "erased");
            send("/v1/users/bulk", "other-key", &bulk).problem(409, "wrong_state");
        }
        assert!(app.admin().all("/v1/users?email=one@example.org").is_empty());
        send("/v1/users", "kept-key", &person("four")).expect(201);
        use cairn::db::schema::idempotency_keys as keys;
        use diesel::{QueryDsl, RunQueryDsl};
        let left: Vec<(String, String)> = app.state.db.read_here(|conn| Ok(keys::table.select((keys::key, keys::body)).load(conn)?)).unwrap();
        assert!(left.iter().all(|(key, body)| !key.contains("secret") && (key == "kept-key" || body.is_empty())), "{left:?}");
        app.advance(25 * 3600);
        app.work();
        send("/v1/users", "secret-key", &person("one")).expect(201);
    }

    /// Nobody takes an address that an erasure, or a plan of the sync, gives; whoever has one may say so.
    fn addresses_that_only_cairn_gives_are_nobody_s(app) {
        let ada = app.user("ada");
        let address = format!("{}@Erased.invalid", ada.id());
        let person = json!({"email": address, "given_name": "A", "family_name": "B", "external_id": "x"});
        assert_eq!(app.admin().post("/v1/users", person.clone()).faults(), ["/email"]);
        let bulk = app.admin().post("/v1/users/bulk", json!({"users": [person.clone()], "mode": "upsert"})).expect(200);
        assert_eq!(bulk["results"][0]["error"]["errors"][0]["code"], "reserved");
        assert_eq!(app.admin().patch(&format!("/v1/users/{}", ada.id()), json!({"email": "a@no-mail.invalid"})).faults(), ["/email"]);
        let made = app.admin().post("/v1/sync/plans", json!({"employees": [person]})).expect(201).id();
        let row = app.admin().get(&format!("/v1/sync/plans/{made}/rows?action=error")).expect(200)["items"][0].clone();
        assert_eq!(row["errors"][0]["code"], "reserved");
        app.admin().post(&format!("/v1/users/{}/erase", ada.id()), json!({"confirm": ada.id()})).expect(200);
        let scim = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "nomail"});
        let id = app.admin().post("/scim/v2/Users", scim).expect(201).id();
        let own = app.admin().get(&format!("/v1/users/{id}")).expect(200)["email"].clone();
        app.admin().patch(&format!("/v1/users/{id}"), json!({"email": own, "family_name": "C"})).expect(200);
    }
}
