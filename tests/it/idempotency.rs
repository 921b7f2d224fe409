//! `Idempotency-Key`: a retry gets the first answer, and nothing happens twice.

use crate::support::{Value, json};

both! {
    fn a_retry_gets_the_first_answer(app) {
        let admin = app.admin();
        let make = |key: &str, email: &str| admin.call("POST", "/v1/users", Some(json!({"email": email, "given_name": "A", "family_name": "B"})), &[("idempotency-key", key)]);
        let first = make("k1", "a@example.org").expect(201);
        let again = make("k1", "a@example.org").expect(201);
        assert_eq!((again.json.clone(), again.header("location"), again.header("idempotency-replayed")), (first.json.clone(), first.header("location"), Some("true")));
        make("k1", "b@example.org").problem(422, "idempotency_key_reused");
        make("k2", "b@example.org").expect(201);
        assert_eq!(admin.all("/v1/users").len(), 3);
        let other = app.machine(&["users:write"]);
        let body = json!({"email": "c@example.org", "given_name": "A", "family_name": "B"});
        other.call("POST", "/v1/users", Some(body), &[("idempotency-key", "k1")]).expect(201);
        make("", "d@example.org").problem(400, "malformed_request");
    }

    fn what_failed_may_be_tried_again_with_the_same_key(app) {
        let admin = app.admin();
        let make = |body: Value| admin.call("POST", "/v1/users", Some(body), &[("idempotency-key", "k")]);
        make(json!({"email": "bad", "given_name": "A", "family_name": "B"})).problem(422, "validation_failed");
        make(json!({"email": "good@example.org", "given_name": "A", "family_name": "B"})).expect(201);
    }

    fn requests_that_race_with_one_key_do_it_once(app) {
        let admin = app.admin();
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| {
                admin.call("POST", "/v1/courses", Some(json!({"title": "Once", "style": "random_access"})), &[("idempotency-key", "race")]).status
            })).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(statuses.iter().all(|s| matches!(s, 201 | 409)), "{statuses:?}");
        assert_eq!(admin.all("/v1/courses").len(), 1);
        app.advance(25 * 3600);
        app.work();
        admin.call("POST", "/v1/courses", Some(json!({"title": "Once", "style": "random_access"})), &[("idempotency-key", "race")]).expect(201);
        assert_eq!(admin.all("/v1/courses").len(), 2, "after a day a key is forgotten");
    }
}
