//! What `cairn seed` makes and `cairn doctor` says.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a scenario is a test, and fails by panicking")]

use std::collections::BTreeMap;

use cairn::{doctor, features::seed};

both! {
    fn the_demo_shows_learners_in_every_state(app) {
        let made = seed::run(&app.state).unwrap();
        assert_eq!((made.courses.len(), made.logins.len()), (5, 12));
        let enrollments = app.admin().all("/v1/enrollments");
        assert_eq!(enrollments.len(), made.enrollments);
        let mut states: BTreeMap<&str, usize> = BTreeMap::new();
        for enrollment in &enrollments {
            *states.entry(enrollment["status"].as_str().unwrap()).or_default() += 1;
        }
        let expected = [("active", 12), ("completed", 5), ("expired", 1), ("pending", 1), ("waitlisted", 2), ("withdrawn", 2)];
        assert_eq!(states, BTreeMap::from(expected));
        assert_eq!(app.admin().all("/v1/certificates").len(), 5);
        assert!(enrollments.iter().any(|e| e["status"] == "active" && e["started_at"].is_null()), "one has not begun");
    }

    fn a_demo_learner_logs_in_and_finds_what_the_failed_hurdle_asks_for(app) {
        seed::run(&app.state).unwrap();
        let tomas = app.anyone().login("tomas.varga@example.org", seed::PASSWORD);
        let course = tomas.get("/v1/courses/ext:demo-hurdles").expect(200).id();
        let mine = tomas.all(&format!("/v1/enrollments?course_id={course}"));
        let next = tomas.get(&format!("/v1/enrollments/{}/next", mine[0]["id"].as_str().unwrap())).expect(200);
        assert_eq!((&next["items"][0]["module"], &next["items"][0]["reason"]), (&"one-idea".into(), &"remedial".into()));
    }

    fn demo_data_goes_into_an_empty_database_only(app) {
        app.user("somebody");
        let error = seed::run(&app.state).unwrap_err();
        assert!(error.to_string().contains("an empty one"), "{error}");
        assert!(app.admin().all("/v1/courses").is_empty());
    }

    fn the_doctor_finds_nothing_to_mend_in_a_good_set_up(app) {
        let report = doctor::examine(&app.state.config);
        assert!(!report.failed(), "{report}");
        let text = report.to_string();
        for said in ["ok    migrations    current", "ok    admin         1 active", "warn  sandbox"] {
            assert!(text.contains(said), "{said} in {text}");
        }
    }
}

#[test]
fn the_doctor_says_whether_the_first_admin_can_be_made() {
    let app = crate::support::TestApp::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let absent = format!("sqlite:{}", folder.path().join("absent.db").display());
    let examine = |url: &str, email: &str, password: &str| {
        let config = cairn::config::Config {
            database_url: url.to_owned(),
            admin_email: email.into(),
            admin_password: Some(password.into()),
            ..app.state.config.clone()
        };
        doctor::examine(&config)
    };
    assert!(!examine(&absent, "ada@example.org", "long enough a word").failed());
    let report = examine(&absent, "nope", "x").to_string();
    for setting in ["FAIL  admin         CAIRN_ADMIN_EMAIL: ", "FAIL  admin         CAIRN_ADMIN_PASSWORD: "] {
        assert!(report.contains(setting), "{report}");
    }
    // Where there are users already, nobody asks.
    assert!(!examine(&app.state.config.database_url, "nope", "x").failed());
}

#[test]
fn the_doctor_names_every_setting_that_cannot_be_read() {
    let said = |flags: &[&str]| {
        let flags: Vec<std::ffi::OsString> = flags.iter().map(Into::into).collect();
        doctor::examine_settings(&flags)
    };
    let report = said(&["--no-such-flag"]);
    assert!(report.failed() && report.to_string().contains("--no-such-flag"), "{report}");
    let command = std::process::Command::new(env!("CARGO_BIN_EXE_cairn"))
        .arg("doctor")
        .env("CAIRN_LISTEN", "nowhere")
        .env("CAIRN_WORKERS", "many")
        .env("CAIRN_SANDBOX", "perhaps")
        .env("DATABASE_URL", "sqlite:/no/such/folder/cairn.db")
        .output()
        .unwrap();
    let text = String::from_utf8(command.stdout).unwrap();
    for setting in ["CAIRN_LISTEN: ", "CAIRN_WORKERS: ", "CAIRN_SANDBOX: "] {
        assert!(text.contains(&format!("FAIL  settings      {setting}")), "{text}");
    }
    assert!(text.contains("FAIL  folder"), "{text}");
    assert_eq!(command.status.code(), Some(1));
}

#[test]
fn the_doctor_makes_no_database_and_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let examine = |url: String| {
        let app = crate::support::TestApp::sqlite();
        let config = cairn::config::Config { database_url: url, ..app.state.config.clone() };
        doctor::examine(&config)
    };
    let absent = folder.path().join("absent.db");
    assert!(!examine(format!("sqlite:{}", absent.display())).failed());
    assert!(!absent.exists());
    let junk = folder.path().join("junk.db");
    std::fs::write(&junk, "this is certainly not a database".repeat(100)).unwrap();
    for url in [
        format!("sqlite:{}", junk.display()),
        "sqlite:/no/such/folder/cairn.db".into(),
        "postgres://nobody:secret@127.0.0.1:1/none".into(),
        "mysql://localhost".into(),
    ] {
        let report = examine(url.clone());
        assert!(report.failed(), "{url}: {report}");
        assert!(!report.to_string().contains("secret"), "{report}");
    }
}
