//! What follows when graded work or evidence is corrected or taken back.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use cairn::db::Conn;
use diesel::RunQueryDsl;

use crate::competencies::{assessing, competency, mastery};
use crate::competencies_paths::{hidden_unless, told, with};
use crate::support::factory::{article, quiz, right, sequence, wrong};
use crate::support::{Client, TestApp, Value, json};

/// Does something while another transaction holds an enrollment, where one can.
fn held<T>(app: &TestApp, enrollment: &str, meanwhile: impl FnOnce() -> T) -> T {
    let hold = format!("SELECT 1 FROM enrollments WHERE id = '{enrollment}' FOR UPDATE");
    let (holds, taken) = channel();
    let (done, release) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let release = Mutex::new(release);
            app.state.db.write_here(move |conn| {
                if let Conn::Pg(c) = conn {
                    diesel::sql_query(hold.as_str()).execute(c)?;
                    holds.send(()).expect("somebody waits");
                    release.lock().expect("nobody else").recv().ok();
                } else {
                    holds.send(()).expect("somebody waits");
                }
                Ok(())
            })
        });
        taken.recv().expect("the enrollment is held");
        let made = meanwhile();
        drop(done);
        made
    })
}

both! {
    fn a_corrected_grade_takes_back_what_hung_on_it_and_gives_it_back(app) {
        let c = competency(app, "highest");
        let outline = json!({"stages": [sequence("s", "linear", vec![
            assessing("q", "core", &[&c], json!({"pass_percent": 50})), hidden_unless("more", "advanced", json!({"competency": {"id": c, "at_least": 0.8}}))])]});
        let course = app.course_with(json!({"title": "C", "style": "dynamic_branching", "issues_certificate": true}), &outline);
        let (ada, teacher) = (app.user("ada"), app.staff("instructor"));
        let e = ada.enroll(&course);
        let attempt = ada.attempt(&e, "q", &right()).id();
        let done = ada.open(&e, "more").expect(200);
        assert_eq!(done["enrollment"]["status"], "completed");
        let certificate = done["certificate_id"].as_str().unwrap().to_owned();
        assert_eq!(mastery(&ada, ada.id(), &c)["mastery"], 1.0);

        let path = format!("/v1/attempts/{attempt}");
        ada.patch(&path, json!({"score_percent": 100, "reason": "I say so."})).problem(403, "forbidden");
        app.user("eve").patch(&path, json!({"score_percent": 100, "reason": "x"})).problem(404, "not_found");
        assert_eq!(teacher.patch(&path, json!({"reason": " "})).faults(), ["/points", "/reason"]);
        assert_eq!(teacher.patch(&path, json!({"points": {"q": 7, "z": 1}, "reason": "x"})).faults(), ["/points/q", "/points/z"]);
        let corrected = teacher.patch(&path, json!({"points": {"q": 0}, "reason": "Copied."})).expect(200);
        assert_eq!((&corrected["score_percent"], &corrected["passed"], &corrected["enrollment"]["status"]), (&json!(0.0), &json!(false), &json!("active")));
        assert_eq!(corrected["correction"]["reason"], "Copied.");
        assert_eq!(mastery(&ada, ada.id(), &c)["mastery"], 0.0);
        assert_eq!(ada.states(&e)["q"], "in_progress");
        assert_eq!(ada.get(&format!("/v1/enrollments/{e}/modules/q")).expect(200)["score_percent"], 0.0);
        assert!(app.admin().get(&format!("/v1/certificates/{certificate}")).expect(200)["revoked_at"].is_string());
        assert_eq!((told(app, "competency.lost").len(), told(app, "module.reopened").len(), told(app, "enrollment.reopened").len()), (1, 1, 1));
        assert_eq!(told(app, "attempt.corrected")[0]["undoes"].as_array().unwrap().len(), 2, "the pass and the completion of the quiz");

        let back = teacher.patch(&path, json!({"score_percent": 90, "reason": "It was not."})).expect(200);
        assert_eq!((&back["passed"], &back["enrollment"]["status"]), (&json!(true), &json!("completed")));
        assert_eq!(back["certificate_id"], json!(certificate), "the same certificate is good again");
        assert!(app.admin().get(&format!("/v1/certificates/{certificate}")).expect(200)["revoked_at"].is_null());
        assert_eq!(mastery(&ada, ada.id(), &c)["mastery"], 0.9);
        assert_eq!(told(app, "competency.mastered").len(), 2);
    }

    fn a_correction_elsewhere_takes_back_what_was_completed_on_it(app) {
        let k = competency(app, "highest");
        let proving = json!({"stages": [sequence("s", "linear", vec![assessing("q", "core", &[&k], json!({"pass_percent": 50})), article("rest")])]});
        let first = app.course("linear_autoplay", &proving);
        let hurdle = quiz("h", "hurdle", json!({}));
        let outline = json!({"stages": [sequence("s", "linear", vec![
            article("a"), with(hurdle, json!({"waive_when": {"competency": {"id": k, "at_least": 0.8}}})), article("z")])]});
        let second = app.course_with(json!({"title": "B", "style": "linear_hurdles", "issues_certificate": true}), &outline);
        let record = |who: &Client, score: f64| app.admin().post(&format!("/v1/users/{}/evidence", who.id()), json!({"competency_id": k, "score": score})).expect(201).id();
        for what in ["deleted", "corrected", "evidence"] {
            let ada = app.user("ada");
            let attempt = if what == "evidence" { record(&ada, 0.9) } else { let e = ada.enroll(&first); ada.attempt(&e, "q", &right()).id() };
            let e = ada.enroll(&second);
            ada.open(&e, "a").expect(200);
            let done = ada.open(&e, "z").expect(200);
            assert_eq!(done["enrollment"]["status"], "completed");
            let certificate = done["certificate_id"].as_str().unwrap().to_owned();
            // What comes later and is worse is no correction.
            record(&ada, 0.1);
            let revoked = || app.admin().get(&format!("/v1/certificates/{certificate}")).expect(200)["revoked_at"].is_string();
            assert_eq!((&ada.get(&format!("/v1/enrollments/{e}")).expect(200)["status"], revoked()), (&json!("completed"), false));
            match what {
                "deleted" => app.admin().delete(&format!("/v1/attempts/{attempt}")).expect(204),
                "corrected" => app.admin().patch(&format!("/v1/attempts/{attempt}"), json!({"score_percent": 0, "reason": "Copied."})).expect(200),
                _ => app.admin().delete(&format!("/v1/evidence/{attempt}")).expect(204),
            };
            let seen = ada.get(&format!("/v1/enrollments/{e}")).expect(200);
            assert_eq!((&seen["status"], &seen["completed_at"], &seen["progress"]["percent"], revoked()), (&json!("active"), &Value::Null, &json!(66.67), true), "{what}");
            assert_eq!(ada.get(&format!("/v1/enrollments/{e}/next")).expect(200)["items"][0]["module"], "h");
            record(&ada, 0.95);
            assert_eq!((&ada.get(&format!("/v1/enrollments/{e}")).expect(200)["status"], revoked()), (&json!("completed"), false), "proved again");
        }
        let reopened = told(app, "enrollment.reopened");
        assert_eq!(reopened.len(), 3);
        assert!(reopened.iter().all(|data| data["undoes"].as_array().unwrap().len() == 1));
        // One who enrolled again is not sent back to the old enrollment, which is over and proves nothing.
        let bob = app.user("bob");
        let proof = record(&bob, 0.9);
        let e = bob.enroll(&second);
        bob.open(&e, "a").expect(200);
        bob.open(&e, "z").expect(200);
        bob.enroll(&second);
        app.admin().delete(&format!("/v1/evidence/{proof}")).expect(204);
        assert_eq!(bob.get(&format!("/v1/enrollments/{e}")).expect(200)["status"], "withdrawn");
        assert!(bob.all("/v1/certificates")[0]["revoked_at"].is_string());
    }

    fn a_correction_of_earlier_work_does_not_count_as_the_latest(app) {
        let c = competency(app, "latest");
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![assessing("q", "core", &[&c], json!({}))])]}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let first = ada.attempt(&e, "q", &right()).id();
        ada.attempt(&e, "q", &wrong());
        assert_eq!(mastery(&ada, ada.id(), &c)["mastery"], 0.0);
        app.admin().patch(&format!("/v1/attempts/{first}"), json!({"score_percent": 60, "reason": "Late look."})).expect(200);
        let detail = mastery(&ada, ada.id(), &c);
        assert_eq!(detail["mastery"], 0.0, "what was submitted last stays the latest, whenever the other was graded");
        assert_eq!(detail["evidence"].as_array().unwrap().iter().map(|p| p["score"].as_f64().unwrap()).collect::<Vec<_>>(), [0.6, 0.0]);
    }

    fn a_deleted_attempt_is_as_if_it_had_never_been(app) {
        let c = competency(app, "latest");
        let course = app.course("linear_hurdles", &json!({"stages": [sequence("s", "linear", vec![
            assessing("q", "hurdle", &[&c], json!({"max_attempts": 2, "pass_percent": 50})), article("after")])]}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.attempt(&e, "q", &wrong());
        let second = ada.attempt(&e, "q", &right()).id();
        assert_eq!((mastery(&ada, ada.id(), &c)["mastery"].clone(), ada.states(&e)["after"].as_str()), (json!(1.0), "available"));
        ada.delete(&format!("/v1/attempts/{second}")).problem(403, "forbidden");
        app.admin().delete(&format!("/v1/attempts/{second}")).expect(204);
        app.admin().get(&format!("/v1/attempts/{second}")).problem(404, "not_found");
        let detail = mastery(&ada, ada.id(), &c);
        assert_eq!((&detail["mastery"], &detail["evidence_count"]), (&json!(0.0), &json!(1)));
        assert_eq!(ada.states(&e)["after"], "locked");
        // It can be taken again.
        ada.attempt(&e, "q", &right());
        assert_eq!(ada.states(&e)["after"], "available");
        // One in progress leaves nothing behind either.
        let other = app.user("other");
        let o = other.enroll(&course);
        let open = other.post(&format!("/v1/enrollments/{o}/modules/q/attempts"), json!({})).expect(201).id();
        app.admin().delete(&format!("/v1/attempts/{open}")).expect(204);
        assert_ne!(other.post(&format!("/v1/enrollments/{o}/modules/q/attempts"), json!({})).expect(201).id(), open);
    }

    fn an_enrollment_that_another_holds_follows_by_a_job(app) {
        let k = competency(app, "highest");
        let outline = json!({"stages": [sequence("s", "linear", vec![
            with(quiz("h", "hurdle", json!({})), json!({"waive_when": {"competency": {"id": k, "at_least": 0.8}}}))])]});
        let course = app.course_with(json!({"title": "B", "style": "linear_hurdles", "issues_certificate": true}), &outline);
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let status = || app.admin().get(&format!("/v1/enrollments/{e}")).expect(200)["status"].clone();
        // SQLite has one writer, so that nobody else can hold a row there: it follows at once.
        let waits = app.state.db.read_here(|conn| Ok(matches!(conn, Conn::Pg(_)))).unwrap();
        let then = |before: &str, after: &str, change: &dyn Fn() -> String| {
            let made = held(app, &e, || {
                let made = change();
                assert_eq!(status(), if waits { before } else { after });
                made
            });
            assert_eq!(status(), if waits { before } else { after }, "nobody waits for another");
            app.work();
            assert_eq!(status(), after);
            made
        };
        let record = || app.admin().post(&format!("/v1/users/{}/evidence", ada.id()), json!({"competency_id": k, "score": 0.9})).expect(201).id();
        let proof = then("active", "completed", &record);
        let certificate = app.admin().all(&format!("/v1/certificates?user_id={}", ada.id()))[0]["id"].as_str().unwrap().to_owned();
        // And backwards: what is refuted meanwhile is taken back with its certificate.
        then("completed", "active", &|| { app.admin().delete(&format!("/v1/evidence/{proof}")).expect(204); String::new() });
        assert!(app.admin().get(&format!("/v1/certificates/{certificate}")).expect(200)["revoked_at"].is_string());
        assert_eq!(told(app, "course.completed").len(), 1);
        assert_eq!(told(app, "enrollment.reopened").len(), 1);
    }

    fn all_faults_of_a_correction_are_named_at_once(app) {
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![quiz("q", "core", json!({}))])]}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let path = format!("/v1/attempts/{}", ada.attempt(&e, "q", &right()).id());
        let key = app.admin().get(&path).expect(200)["items"][0]["key"].as_str().unwrap().to_owned();
        let bad = json!({"points": {key.as_str(): 1000, "no/where": 1}, "score_percent": 101, "reason": ""});
        assert_eq!(app.admin().patch(&path, bad).faults(), [
            "/points".to_owned(), "/points/no~1where".into(), format!("/points/{key}"), "/reason".into(), "/score_percent".into()]);
        assert_eq!(app.admin().patch(&path, json!({"reason": ""})).faults(), ["/points", "/reason"]);
        assert_eq!(app.admin().get(&path).expect(200)["correction"], Value::Null);
    }
}
