//! Learning events: late, twice, in any order, many at once; what was known at a past instant.

use uuid::Uuid;

use crate::support::factory::{article, sequence, video};
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
}
