//! Health, metrics, the sandbox clock, and what holds for every answer.

use crate::support::{TestApp, json};

both! {
    fn the_server_tells_how_it_is(app) {
        app.anyone().get("/healthz").expect(200);
        let ready = app.anyone().get("/readyz").expect(200);
        assert!(ready.text().contains("ready") || ready["status"] == "ok", "{}", ready.text());
        app.admin().get("/v1/users").expect(200);
        let metrics = app.anyone().get("/metrics").expect(200).text();
        assert!(metrics.contains("# TYPE"), "{metrics}");
    }

    fn every_answer_has_the_request_s_id(app) {
        let answer = app.anyone().call("GET", "/v1/users", None, &[("x-request-id", "mine-1")]).expect(401);
        assert_eq!((answer.header("x-request-id"), &answer["request_id"]), (Some("mine-1"), &json!("mine-1")));
        assert!(app.anyone().get("/healthz").header("x-request-id").is_some_and(|id| id.len() >= 16));
        let odd = "x".repeat(500);
        let answer = app.anyone().call("GET", "/healthz", None, &[("x-request-id", &odd)]);
        assert_ne!(answer.header("x-request-id"), Some(odd.as_str()), "nobody fills the log with it");
    }

    fn paths_and_methods_that_there_are_not(app) {
        app.admin().get("/v1/nothing").problem(404, "not_found");
        app.admin().get("/v1/users/not-an-id").problem(404, "not_found");
        let answer = app.admin().call("DELETE", "/v1/users", None, &[]).problem(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some("GET, HEAD, POST"));
    }

    fn browsers_of_listed_origins_may_call(app) {
        let asked = |origin: &str| app.anyone().call("OPTIONS", "/v1/users", None, &[("origin", origin), ("access-control-request-method", "POST"), ("access-control-request-headers", "authorization")]);
        assert_eq!(asked("https://app.example").header("access-control-allow-origin"), Some("https://app.example"));
        let foreign = asked("https://evil.example").problem(403, "forbidden");
        assert_eq!(foreign.header("access-control-allow-origin"), None);
    }

    fn answers_are_compressed_for_whoever_asks(app) {
        let plain = app.anyone().get("/openapi.json").expect(200);
        assert!(plain.header("content-encoding").is_none());
        let packed = app.anyone().call("GET", "/openapi.json", None, &[("accept-encoding", "gzip")]).expect(200);
        assert_eq!(packed.header("content-encoding"), Some("gzip"));
        assert!(packed.body.len() * 3 < plain.body.len());
    }

    fn the_sandbox_clock_moves_forward_only(app) {
        let clock = |who: &crate::support::Client, seconds: i64| who.put("/v1/sandbox/clock", json!({"advance_seconds": seconds}));
        let first = clock(app.admin(), 3600).expect(200);
        let second = clock(app.admin(), 0).ok();
        assert!(second["now"].as_str() >= first["now"].as_str());
        clock(app.admin(), -1).problem(422, "validation_failed");
        clock(&app.user("ada"), 1).problem(403, "forbidden");
    }

    fn swagger_ui_and_the_document_are_there(app) {
        let docs = app.anyone().get("/docs/").expect(200);
        assert!(docs.text().to_lowercase().contains("swagger"));
        assert!(app.anyone().get("/openapi.json").expect(200)["openapi"].as_str().unwrap().starts_with("3.1"));
    }
}

#[test]
fn without_the_sandbox_nobody_moves_the_clock() {
    let app = TestApp::sqlite_with(|config| config.sandbox = false);
    let answer = app.admin().put("/v1/sandbox/clock", json!({"advance_seconds": 1}));
    assert!(matches!(answer.status, 403 | 404 | 409), "{}", answer.text());
}

/// Only who serves, or seeds, makes the first admin, by the settings that it was given.
#[test]
fn migrating_and_working_leave_the_first_admin_to_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("cairn.db").display());
    let migrated = std::process::Command::new(env!("CARGO_BIN_EXE_cairn"))
        .arg("migrate")
        .env("DATABASE_URL", &url)
        .output()
        .unwrap();
    assert!(migrated.status.success());
    assert!(!String::from_utf8_lossy(&migrated.stdout).contains("First admin"));
    let app = TestApp::sqlite_with(|config| config.database_url = url);
    // With the password of the server's settings.
    app.admin().get("/v1/users").expect(200);
}

both! {
    fn a_worker_beside_the_server_follows_its_clock(app) {
        let mut config = app.state.config.clone();
        config.sandbox = false;
        let beside = cairn::app::open(config).unwrap();
        app.advance(86_400);
        assert_eq!(beside.clock.offset_seconds(), 0);
        let (follower, server) = (beside.clone(), app.state.clock.offset_seconds());
        actix_web::rt::System::new().block_on(async move {
            let seen = async {
                while follower.clock.offset_seconds() < server {
                    actix_web::rt::time::sleep(std::time::Duration::from_millis(20)).await;
                }
                // It goes on following.
                app.advance(60);
                while follower.clock.offset_seconds() < server + 60 {
                    actix_web::rt::time::sleep(std::time::Duration::from_millis(20)).await;
                }
                Ok(())
            };
            cairn::app::work(beside, seen).await.unwrap();
        });
        assert_eq!(app.state.clock.offset_seconds(), server + 60);
    }
}
