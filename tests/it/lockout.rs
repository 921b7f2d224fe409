//! Failed log-ins make the account and the address wait.

use crate::support::app::ADMIN;
use crate::support::{Answer, TestApp, json};

fn log_in(app: &TestApp, email: &str, password: &str) -> Answer {
    app.anyone().post("/v1/sessions", json!({"email": email, "password": password}))
}

fn fail(app: &TestApp, email: &str, times: usize) {
    for _ in 0..times {
        log_in(app, email, "not the password").problem(401, "invalid_credentials");
    }
}

both! {
    fn the_wait_doubles_and_looks_the_same_for_nobody(app) {
        let mut told = Vec::new();
        for email in [ADMIN.0, "nobody@example.org"] {
            fail(app, email, 6);
            let answer = log_in(app, email, ADMIN.1).problem(429, "too_many_requests");
            told.push((answer.status, answer.header("retry-after").map(str::to_owned), answer["detail"].clone()));
        }
        assert_eq!(told[0].0, told[1].0);
        let waits: Vec<i64> = told.iter().map(|t| t.1.as_ref().unwrap().parse().unwrap()).collect();
        assert!(waits.iter().all(|wait| (1..=3).contains(wait)), "{waits:?}");
        app.advance(3);
        fail(app, ADMIN.0, 1);
        let wait: i64 = log_in(app, ADMIN.0, ADMIN.1).expect(429).header("retry-after").unwrap().parse().unwrap();
        assert!((3..=5).contains(&wait), "{wait}");
        app.advance(5);
        log_in(app, ADMIN.0, ADMIN.1).expect(201);
        // Success forgets.
        fail(app, ADMIN.0, 5);
        log_in(app, ADMIN.0, ADMIN.1).expect(201);
    }

    fn an_admin_lets_a_user_in_again(app) {
        let admin = app.admin();
        let body = json!({"email": "bob@example.org", "given_name": "Bob", "family_name": "B", "password": "correct-horse-9"});
        let id = admin.post("/v1/users", body).expect(201).id();
        fail(app, "bob@example.org", 6);
        log_in(app, "Bob@Example.org ", "correct-horse-9").expect(429);
        app.user("ada").post(&format!("/v1/users/{id}/unlock"), json!({})).problem(403, "forbidden");
        admin.post(&format!("/v1/users/{id}/unlock"), json!({})).expect(204);
        log_in(app, "bob@example.org", "correct-horse-9").expect(201);
    }

    fn an_address_that_tries_many_accounts_waits(app) {
        for n in 0..51 {
            fail(app, &format!("guess{n}@example.org"), 1);
        }
        log_in(app, "another@example.org", "x").problem(429, "too_many_requests");
        log_in(app, ADMIN.0, ADMIN.1).problem(429, "too_many_requests");
        app.advance(60);
        log_in(app, ADMIN.0, ADMIN.1).expect(201);
    }
}
