//! What is held on a person, and its erasure.

use crate::support::factory::{article, quiz, right, sequence, unique};
use crate::support::json;

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
        // Statistics stay, and the certificate still verifies, for nobody.
        assert_eq!(app.admin().get(&format!("/v1/enrollments/{enrollment}")).expect(200)["status"], "completed");
        let shown = app.anyone().call("GET", &format!("/verify/{}", certificate["serial"].as_str().unwrap()), None, &[("accept", "application/json")]).expect(200);
        assert_eq!(shown["holder"], "Erased");
        let log = app.admin().get(&format!("/v1/audit?subject={}&action=user.erased", ada.id())).expect(200);
        assert_eq!(log["items"].as_array().unwrap().len(), 1);
    }
}
