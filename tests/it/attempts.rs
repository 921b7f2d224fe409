//! Quizzes: what each kind of item takes, limits, time, and what is never told.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a scenario is a test, and fails by panicking")]

use crate::support::factory::{article, quiz, right, sequence};
use crate::support::{Value, json};

/// A quiz with an item of each kind; 7 points.
fn all_kinds() -> Value {
    let choices = json!([{"key": "a", "text": "A", "correct": true}, {"key": "b", "text": "B", "correct": true}, {"key": "c", "text": "C", "correct": false}]);
    quiz(
        "all",
        "final",
        json!({"pass_percent": 100, "items": [
            {"key": "single", "type": "single_choice", "prompt": "?", "points": 1, "choices": [{"key": "a", "text": "A", "correct": true}, {"key": "b", "text": "B"}]},
            {"key": "whole", "type": "multiple_choice", "prompt": "?", "points": 1, "scoring": "all_or_nothing", "choices": choices},
            {"key": "part", "type": "multiple_choice", "prompt": "?", "points": 1, "scoring": "partial", "choices": choices},
            {"key": "truth", "type": "true_false", "prompt": "?", "points": 1, "answer": true},
            {"key": "word", "type": "short_answer", "prompt": "?", "points": 1, "accepted": ["White paper", "paper"]},
            {"key": "near", "type": "numeric", "prompt": "?", "points": 1, "answer": 10, "tolerance": {"absolute": 0.5}},
            {"key": "share", "type": "numeric", "prompt": "?", "points": 1, "answer": 200, "tolerance": {"relative": 0.05}}]}),
    )
}

/// Members that give an answer away, wherever they stand.
fn told(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| {
                let tells =
                    matches!(name.as_str(), "correct" | "accepted" | "tolerance" | "answer") && !value.is_null();
                told(value).into_iter().chain(tells.then(|| name.clone())).collect::<Vec<_>>()
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(told).collect(),
        _ => Vec::new(),
    }
}

both! {
    fn each_kind_of_item_is_graded_by_its_rule(app) {
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![all_kinds()])]}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let some = json!({"single": ["a"], "whole": ["a"], "part": ["a"], "truth": false, "word": "  white   PAPER ", "near": 10.5, "share": 211});
        let first = ada.attempt(&e, "all", &some);
        let points: Vec<f64> = first["results"].as_array().unwrap().iter().map(|r| r["points"].as_f64().unwrap()).collect();
        assert_eq!(points, [1.0, 0.0, 0.5, 0.0, 1.0, 1.0, 0.0]);
        assert_eq!((&first["passed"], &first["points"], &first["max_points"]), (&json!(false), &json!(3.5), &json!(7.0)));
        let good = json!({"single": ["a"], "whole": ["b", "a"], "part": ["a", "b"], "truth": true, "word": "paper", "near": 9.5, "share": 190});
        let second = ada.attempt(&e, "all", &good);
        assert_eq!((&second["passed"], &second["score_percent"], &second["number"]), (&json!(true), &json!(100.0), &json!(2)));
        assert_eq!(second["enrollment"]["status"], "completed");
    }

    fn answers_never_leave_the_server(app) {
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![all_kinds()])]}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let attempt = ada.post(&format!("/v1/enrollments/{e}/modules/all/attempts"), json!({})).expect(201);
        let id = attempt.id();
        for seen in [
            attempt,
            ada.get(&format!("/v1/attempts/{id}")).expect(200),
            ada.get(&format!("/v1/enrollments/{e}/modules/all")).expect(200),
            ada.get(&format!("/v1/enrollments/{e}/modules/all/attempts")).expect(200),
            ada.get(&format!("/v1/enrollments/{e}/path")).expect(200),
            ada.get(&format!("/v1/courses/{course}")).expect(200),
            ada.post(&format!("/v1/attempts/{id}/submit"), json!({})).expect(200),
        ] {
            assert_eq!(told(&seen.json), Vec::<String>::new(), "{}", seen.text());
        }
        // Nor by the author's side doors.
        for path in ["outline", "modules/all", "revisions/1"] {
            let status = ada.get(&format!("/v1/courses/{course}/{path}")).status;
            assert!(matches!(status, 403 | 404), "{path}: {status}");
        }
        let script = json!({"steps": []});
        assert_eq!(ada.post(&format!("/v1/courses/{course}/simulate"), script).status, 403);
        let eve = app.user("eve");
        assert!(matches!(eve.get(&format!("/v1/attempts/{id}")).status, 403 | 404));
    }

    fn the_server_keeps_the_time(app) {
        let timed = quiz("timed", "core", json!({"time_limit_seconds": 60}));
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![timed, article("a")])]}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let attempt = ada.post(&format!("/v1/enrollments/{e}/modules/timed/attempts"), json!({})).expect(201);
        assert!(attempt["deadline"].is_string());
        let id = attempt.id();
        for (item, answer) in right().as_object().unwrap() {
            ada.put(&format!("/v1/attempts/{id}/answers/{item}"), json!({"answer": answer})).ok();
        }
        app.advance(3600);
        ada.put(&format!("/v1/attempts/{id}/answers/q"), json!({"answer": ["b"]})).problem(409, "wrong_state");
        app.work();
        // What was saved in time was handed in for the learner, and counts.
        let seen = ada.get(&format!("/v1/attempts/{id}")).expect(200);
        assert_eq!((&seen["state"], &seen["passed"]), (&json!("graded"), &json!(true)));
        assert_eq!(ada.states(&e)["a"], "available");
    }

    fn a_corrected_grade_takes_the_completion_of_an_earlier_generation_back(app) {
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![quiz("q", "core", json!({}))])]}));
        for (again, delete) in [("none", false), ("active", false), ("active", true), ("withdrawn", false), ("completed", true)] {
            let ada = app.user("ada");
            let e = ada.enroll(&course);
            let done = ada.attempt(&e, "q", &right());
            let serial = ada.get(&format!("/v1/certificates/{}", done["certificate_id"].as_str().unwrap())).expect(200)["serial"].as_str().unwrap().to_owned();
            let second = (again != "none").then(|| ada.enroll(&course));
            match (again, &second) {
                ("withdrawn", Some(second)) => drop(ada.post(&format!("/v1/enrollments/{second}/withdraw"), json!({})).expect(200)),
                ("completed", Some(second)) => drop(ada.attempt(second, "q", &right())),
                _ => {}
            }
            let attempt = format!("/v1/attempts/{}", done.id());
            match delete {
                true => drop(app.admin().delete(&attempt).expect(204)),
                false => drop(app.admin().patch(&attempt, json!({"score_percent": 0, "reason": "Copied."})).expect(200)),
            }
            let seen = ada.get(&format!("/v1/enrollments/{e}")).expect(200);
            let status = if again == "none" { "active" } else { "withdrawn" };
            assert_eq!((&seen["status"], &seen["progress"], &seen["completed_at"]), (&json!(status), &json!({"percent": 0.0, "done_weight": 0.0, "total_weight": 1.0}), &json!(null)), "{again}");
            assert_eq!(ada.get(&format!("/v1/enrollments/{e}/path")).expect(200)["progress"], seen["progress"]);
            let valid = || app.anyone().get(&format!("/verify/{serial}")).expect(200)["valid"].as_bool();
            assert_eq!(valid(), Some(false), "{again}");
            if let Some(second) = second {
                assert_eq!(ada.get(&format!("/v1/enrollments/{second}")).expect(200)["status"], again);
            }
            if !delete {
                let back = app.admin().patch(&attempt, json!({"score_percent": 100, "reason": "A mistake of ours."})).expect(200);
                assert_eq!((&back["enrollment"]["status"], valid()), (&json!("completed"), Some(true)), "{again}");
                assert_eq!(ada.get(&format!("/v1/enrollments/{e}")).expect(200)["progress"]["percent"], 100.0, "{again}");
            }
        }
    }

    fn a_correction_tells_the_learner_no_more_than_the_review(app) {
        let hiding = json!({"review": {"marks": false, "correctness": false, "feedback": false}});
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![quiz("q", "core", hiding)])]}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let id = ada.attempt(&e, "q", &json!({"q": ["b"]})).id();
        let told = app.admin().patch(&format!("/v1/attempts/{id}"), json!({"points": {"q": 1}, "reason": "The question was wrong."})).expect(200);
        assert_eq!(told["correction"]["points"], json!({"q": 1.0}));
        assert_eq!(app.admin().get(&format!("/v1/attempts/{id}")).expect(200)["correction"]["points"], json!({"q": 1.0}));
        let list = ada.get(&format!("/v1/enrollments/{e}/modules/q/attempts")).expect(200);
        for correction in [&ada.get(&format!("/v1/attempts/{id}")).expect(200)["correction"], &list["items"][0]["correction"]] {
            assert_eq!((&correction["points"], &correction["reason"]), (&json!({}), &json!("The question was wrong.")));
        }
    }
}
