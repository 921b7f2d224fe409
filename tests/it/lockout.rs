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

/// A company may sit behind one address: how many may fail there is a setting.
#[test]
fn how_many_may_fail_at_an_address_is_configured() {
    let scenario = |app: &TestApp, waits: bool| {
        app.admin();
        let times = if waits { 12 } else { 60 };
        for n in 0..times {
            fail_patiently(app, &format!("guess{n}@example.org"), 1);
        }
        let answer = log_in(app, ADMIN.0, ADMIN.1);
        if waits {
            answer.problem(429, "too_many_requests");
        } else {
            answer.expect(201);
        }
    };
    for (setting, waits) in [(3, true), (0, false)] {
        scenario(&TestApp::sqlite_with(|config| config.access.login_failures_per_address = Some(setting)), waits);
        if let Some(app) = TestApp::postgres_with(|config| config.access.login_failures_per_address = Some(setting)) {
            scenario(&app, waits);
        }
    }
}

/// Sends all of these at once; their statuses.
fn at_once(app: &TestApp, email: &str, passwords: &[&str]) -> Vec<u16> {
    std::thread::scope(|scope| {
        let one = |password: &str| {
            let (anyone, body) = (app.anyone(), json!({"email": email, "password": password}));
            scope.spawn(move || anyone.post("/v1/sessions", body).status)
        };
        let all: Vec<_> = passwords.iter().map(|password| one(password)).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

both! {
    /// Guesses that come at once are counted before they are evaluated, and whoever comes while the account waits is told so, with the
    /// right password too.
    fn a_burst_of_guesses_is_no_way_round_the_wait(app) {
        app.admin();
        for email in [ADMIN.0, "nobody@example.org"] {
            fail_patiently(app, email, 12);
            app.advance(wait(&log_in(app, email, ADMIN.1).expect(429)));
            let statuses = at_once(app, email, &["not the password"; 20]);
            let told = |status: u16| statuses.iter().filter(|one| **one == status).count();
            assert_eq!((told(401), told(429)), (1, 19), "{statuses:?}");
            log_in(app, email, ADMIN.1).problem(429, "too_many_requests");
        }
        // Those who know the password do not stand in each other's way, once one of them has ended the waiting.
        app.advance(900);
        log_in(app, ADMIN.0, ADMIN.1).expect(201);
        assert_eq!(at_once(app, ADMIN.0, &[ADMIN.1; 12]), [201; 12]);
    }

    /// The present password is asked for when a new one is set, and is guessed no faster there.
    fn a_change_of_password_is_no_way_round_the_wait(app) {
        let admin = app.admin();
        let body = json!({"email": "bob@example.org", "given_name": "Bob", "family_name": "B", "password": "correct-horse-9"});
        let id = admin.post("/v1/users", body).expect(201).id();
        let bob = app.acting_as(&id);
        let change = |current: &str| bob.patch("/v1/me", json!({"password": "another-horse-9", "current_password": current}));
        for _ in 0..12 {
            let answer = change("not the password");
            if answer.status == 429 {
                app.advance(wait(&answer));
                change("not the password").problem(403, "forbidden");
            } else {
                answer.problem(403, "forbidden");
            }
        }
        assert!(wait(&change("correct-horse-9").problem(429, "too_many_requests")) > 60);
        log_in(app, "bob@example.org", "correct-horse-9").problem(429, "too_many_requests");
        let log = admin.all(&format!("/v1/audit?action=user.password_refused&user_id={id}"));
        assert_eq!((log.len(), &log[0]["actor"]["id"], &log[0]["data"]["address"]), (12, &json!(id), &json!("127.0.0.1")));
        // What needs no password goes on, and who is let in again may change it.
        bob.patch("/v1/me", json!({"locale": "fr"})).expect(200);
        admin.post(&format!("/v1/users/{id}/unlock"), json!({})).expect(204);
        change("correct-horse-9").expect(200);
        log_in(app, "bob@example.org", "another-horse-9").expect(201);
    }

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
