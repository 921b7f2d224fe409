//! Limits on how often callers may call.

use crate::support::TestApp;
use crate::support::app::ADMIN;

fn on_both(change: impl Fn(&mut cairn::config::Access), scenario: impl Fn(&TestApp)) {
    scenario(&TestApp::sqlite_with(|config| change(&mut config.access)));
    if let Some(app) = TestApp::postgres_with(|config| change(&mut config.access)) {
        scenario(&app);
    }
}

#[test]
fn a_caller_is_told_and_held_to_the_limit() {
    on_both(
        |access| access.rate_limit_per_minute = 5,
        |app| {
            let admin = app.acting_as(&app.admin().get("/v1/me").expect(200).id());
            let other = app.user("ada");
            let answer = other.get("/v1/me").expect(200);
            assert_eq!(answer.header("ratelimit-policy"), Some("\"caller\";q=5;w=60"));
            assert_eq!(answer.header("ratelimit"), Some("\"caller\";r=4;t=12"));
            while other.get("/v1/me").status == 200 {}
            let refused = other.get("/v1/me").problem(429, "too_many_requests");
            let wait: i64 = refused.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=12).contains(&wait), "{wait}");
            assert!(refused.header("ratelimit").unwrap().starts_with("\"caller\";r=0"));
            admin.get("/v1/me").expect(200);
            app.state.clock.set_offset(wait);
            other.get("/v1/me").expect(200);
            // Without a token nothing is limited here.
            app.anyone().get("/healthz").expect(200);
        },
    );
}

#[test]
fn log_ins_and_strangers_are_limited_by_address() {
    on_both(
        |access| {
            access.login_rate_limit_per_minute = 3;
            access.anonymous_rate_limit_per_minute = 4;
        },
        |app| {
            for _ in 0..3 {
                app.anyone().login(ADMIN.0, ADMIN.1);
            }
            let body = crate::support::json!({"email": ADMIN.0, "password": ADMIN.1});
            app.anyone().post("/v1/sessions", body).problem(429, "too_many_requests");
            app.anyone().form("/oauth/token", &[("grant_type", "client_credentials")], &[]).expect(429);
            for _ in 0..4 {
                app.anyone().get("/.well-known/jwks.json").expect(200);
            }
            app.anyone().get("/.well-known/jwks.json").problem(429, "too_many_requests");
        },
    );
}

#[test]
fn a_token_that_is_no_good_makes_nobody_known() {
    on_both(
        |access| access.anonymous_rate_limit_per_minute = 4,
        |app| {
            let admin = app.admin().clone();
            let junk = app.with_token("junk");
            for path in ["/v1/users", "/.well-known/jwks.json", "/nowhere"] {
                junk.get(path);
            }
            junk.get("/v1/me").problem(401, "unauthenticated");
            junk.get("/v1/me").problem(429, "too_many_requests");
            junk.get("/.well-known/jwks.json").problem(429, "too_many_requests");
            admin.get("/v1/me").expect(200);
        },
    );
}

both! {
    fn by_default_callers_are_not_limited(app) {
        for _ in 0..30 {
            assert_eq!(app.admin().get("/v1/me").expect(200).header("ratelimit"), None);
        }
    }
}
