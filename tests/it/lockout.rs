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

/// Fails so often, waiting by the sandbox clock whenever it is asked for.
fn fail_patiently(app: &TestApp, email: &str, times: usize) {
    for _ in 0..times {
        let answer = log_in(app, email, "not the password");
        if answer.status == 429 {
            app.advance(wait(&answer));
            fail(app, email, 1);
        } else {
            answer.problem(401, "invalid_credentials");
        }
    }
}

fn wait(answer: &Answer) -> i64 {
    answer.header("retry-after").unwrap().parse().unwrap()
}

both! {
    fn the_wait_doubles_and_looks_the_same_for_nobody(app) {
        app.admin();
        for email in [ADMIN.0, "nobody@example.org"] {
            fail_patiently(app, email, 12);
            let answer = log_in(app, email, ADMIN.1).problem(429, "too_many_requests");
            assert!((65..=129).contains(&wait(&answer)), "{}", wait(&answer));
            assert!(answer["detail"].as_str().unwrap().starts_with("Too many log-ins failed."));
        }
        fail_patiently(app, ADMIN.0, 1);
        let answer = log_in(app, ADMIN.0, ADMIN.1).expect(429);
        assert!((130..=257).contains(&wait(&answer)), "{}", wait(&answer));
        app.advance(wait(&answer));
        log_in(app, ADMIN.0, ADMIN.1).expect(201);
        // Success forgets.
        fail(app, ADMIN.0, 5);
        log_in(app, ADMIN.0, ADMIN.1).expect(201);
    }

    fn an_admin_lets_a_user_in_again(app) {
        let admin = app.admin();
        let body = json!({"email": "bob@example.org", "given_name": "Bob", "family_name": "B", "password": "correct-horse-9"});
        let id = admin.post("/v1/users", body).expect(201).id();
        fail_patiently(app, "bob@example.org", 12);
        log_in(app, "Bob@Example.org ", "correct-horse-9").expect(429);
        app.user("ada").post(&format!("/v1/users/{id}/unlock"), json!({})).problem(403, "forbidden");
        admin.post(&format!("/v1/users/{id}/unlock"), json!({})).expect(204);
        log_in(app, "bob@example.org", "correct-horse-9").expect(201);
    }

    fn an_address_that_tries_many_accounts_waits(app) {
        app.admin();
        for n in 0..56 {
            fail_patiently(app, &format!("guess{n}@example.org"), 1);
        }
        log_in(app, "another@example.org", "x").problem(429, "too_many_requests");
        log_in(app, ADMIN.0, ADMIN.1).problem(429, "too_many_requests");
        app.advance(900);
        log_in(app, ADMIN.0, ADMIN.1).expect(201);
    }
}
