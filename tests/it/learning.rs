//! Learning events: late, twice, in any order, many at once; what was known at a past instant.

use uuid::Uuid;

use crate::support::factory::{article, quiz, sequence, video};
use crate::support::{TestApp, Value, json};

fn course(app: &TestApp, mut fields: Value) -> String {
    fields["title"] = json!("Reading");
    fields["style"] = json!("linear_autoplay");
    app.course_with(fields, &json!({"stages": [sequence("s", "linear", vec![article("a"), article("b")])]}))
}

both! {
    fn events_may_come_late_twice_and_in_any_order(app) {
        let outline = json!({"stages": [sequence("s", "linear", vec![video("v"), article("a")])]});
        let course = app.course("linear_autoplay", &outline);
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let start = app.state.clock.now();
        app.advance(600);
        let event = |n: u128, from: u32, to: u32, after: i64| {
            json!({"id": Uuid::from_u128(n), "type": "watched", "module": "v", "from_seconds": from, "to_seconds": to, "at": start + chrono::TimeDelta::seconds(after)})
        };
        let send = |events: Value| ada.post(&format!("/v1/enrollments/{e}/events"), json!({ "events": events }));
        let late = send(json!([event(2, 40, 60, 60), event(1, 0, 50, 30), event(2, 40, 60, 60)])).expect(200);
        let verdicts: Vec<&str> = late["results"].as_array().unwrap().iter().map(|r| r["status"].as_str().unwrap()).collect();
        assert_eq!(verdicts.iter().filter(|v| **v == "duplicate").count(), 1, "{verdicts:?}");
        // An older one arrives last: the seconds are counted once, the newest position stays.
        send(json!([event(3, 10, 30, 10)])).expect(200);
        let module = ada.get(&format!("/v1/enrollments/{e}/modules/v")).expect(200);
        assert_eq!((module["watched_percent"].as_f64(), module["resume_at_seconds"].as_f64()), (Some(60.0), Some(60.0)));
        // In one batch a later event may open what an earlier one in the list needs.
        let opens_a = json!({"id": Uuid::from_u128(9), "type": "opened", "module": "a", "at": start + chrono::TimeDelta::seconds(120)});
        let done = send(json!([opens_a, event(4, 60, 100, 90)])).expect(200);
        assert_eq!(done["enrollment"]["status"], "completed");
        // What was known then.
        let before = (start + chrono::TimeDelta::seconds(70)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let path = ada.get(&format!("/v1/enrollments/{e}/path?as_of={before}")).expect(200);
        assert_eq!(path["stages"][0]["modules"][0]["state"], "in_progress");
    }

    fn a_batch_has_up_to_500_events(app) {
        let course = course(app, json!({}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let batch = |n: u128| json!({"events": (0..n).map(|i| json!({"id": Uuid::from_u128(i + 1), "type": "opened", "module": "a"})).collect::<Vec<_>>()});
        assert_eq!(ada.post(&format!("/v1/enrollments/{e}/events"), batch(501)).faults(), ["/events"]);
        let answer = ada.post(&format!("/v1/enrollments/{e}/events"), batch(500)).expect(200);
        assert!(answer["results"].as_array().unwrap().iter().all(|r| r["status"] == "applied"));
        let e2 = app.user("bob");
        let b = e2.enroll(&course);
        let locked = e2.open(&b, "b").problem(403, "module_locked");
        assert!(locked["reasons"].as_array().is_some_and(|r| !r.is_empty()), "{}", locked.text());
    }

    fn whoever_asks_again_gets_the_certificate_too(app) {
        let outline = json!({"stages": [sequence("s", "linear", vec![article("a"), quiz("q", "final", json!({}))])]});
        let fields = json!({"title": "Proof", "style": "linear_autoplay", "issues_certificate": true});
        let course = app.course_with(fields.clone(), &outline);
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.open(&e, "a").expect(200);
        let attempt = ada.post(&format!("/v1/enrollments/{e}/modules/q/attempts"), json!({})).expect(201).id();
        ada.put(&format!("/v1/attempts/{attempt}/answers/q"), json!({"answer": ["a"]})).ok();
        // All of a race hear of the one certificate.
        let path = format!("/v1/attempts/{attempt}/submit");
        let told: Vec<Value> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..16).map(|_| scope.spawn(|| ada.post(&path, json!({})).expect(200)["certificate_id"].clone())).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(told[0].is_string() && told.iter().all(|id| *id == told[0]), "{told:?}");
        assert_eq!(ada.open(&e, "a").expect(200)["certificate_id"], told[0], "so does who learns on");
        // The same with the batch that completes.
        let course = app.course_with(fields, &json!({"stages": [sequence("s", "linear", vec![article("a")])]}));
        let e = ada.enroll(&course);
        let batch = json!({"events": [{"id": Uuid::from_u128(71), "type": "opened", "module": "a"}]});
        let send = || ada.post(&format!("/v1/enrollments/{e}/events"), batch.clone()).expect(200);
        let (first, second) = (send(), send());
        assert_eq!(second["results"][0]["status"], "duplicate");
        assert!(first["certificate_id"].is_string());
        assert_eq!(first["certificate_id"], second["certificate_id"]);
        // What was revoked is not held any more.
        let id = first["certificate_id"].as_str().unwrap().to_owned();
        app.admin().post(&format!("/v1/certificates/{id}/revoke"), json!({"reason": "Copied."})).expect(200);
        assert_eq!(send()["certificate_id"], Value::Null);
    }

    fn all_that_is_wrong_with_an_event_is_named_at_once(app) {
        let outline = json!({"stages": [sequence("s", "linear", vec![video("v"), article("a")])]});
        let ada = app.user("ada");
        let e = ada.enroll(&app.course("linear_autoplay", &outline));
        let pointers = |error: &Value| error["errors"].as_array().unwrap().iter().map(|f| f["pointer"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        for (event, wrong) in [
            (json!({"type": "time_spent", "module": "nope", "seconds": -5, "at": "2999-01-01T00:00:00Z"}), vec!["/module", "/seconds", "/at"]),
            (json!({"type": "watched", "module": "v", "from_seconds": -1, "to_seconds": 1e9}), vec!["/from_seconds", "/to_seconds"]),
            (json!({"type": "watched", "module": "v", "from_seconds": 5, "to_seconds": 5}), vec!["/to_seconds"]),
            (json!({"type": "time_spent", "module": "v", "seconds": -5}), vec!["/seconds"]),
            (json!({"type": "position", "module": "v", "seconds": -5}), vec!["/seconds"]),
            (json!({"type": "marked_done", "module": "a"}), vec!["/module"]),
        ] {
            let alone = ada.event(&e, event.clone()).problem(422, "event_rejected");
            assert_eq!(pointers(&alone.json), wrong, "{}", alone.text());
            let mut event = event;
            event["id"] = json!(Uuid::from_u128(81));
            let batch = ada.post(&format!("/v1/enrollments/{e}/events"), json!({"events": [event]})).expect(200);
            assert_eq!(batch["results"][0]["status"], "rejected");
            assert_eq!(pointers(&batch["results"][0]["error"]), wrong, "{}", batch.text());
        }
    }

    fn what_was_locked_may_be_sent_again_with_its_id(app) {
        let ada = app.user("ada");
        let e = ada.enroll(&course(app, json!({})));
        let event = json!({"id": Uuid::from_u128(91), "type": "opened", "module": "b"});
        let send = || ada.post(&format!("/v1/enrollments/{e}/events"), json!({"events": [event.clone()]})).expect(200)["results"][0]["status"].clone();
        assert_eq!(send(), "rejected");
        ada.open(&e, "a").expect(200);
        assert_eq!((send(), send()), (json!("applied"), json!("duplicate")));
    }
}
