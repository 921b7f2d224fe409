//! Practice beside attempts, and whose it is.

use crate::support::factory::{quiz, sequence};
use crate::support::json;

both! {
    fn practice_tells_nothing_of_a_running_attempt(app) {
        let items = json!([{"key": "a", "type": "true_false", "prompt": "?", "answer": true}, {"key": "b", "type": "true_false", "prompt": "?", "answer": true}]);
        let limited = quiz("q", "core", json!({"practice": true, "max_attempts": 1, "items": items, "review": {"marks": false, "correctness": false, "feedback": false}}));
        let outline = json!({"stages": [sequence("s", "any", vec![limited, quiz("free", "final", json!({"practice": true}))])]});
        let course = app.course("random_access", &outline);
        let linted = app.admin().post(&format!("/v1/courses/{course}/lint"), json!({})).expect(200);
        let warned: Vec<_> = linted["warnings"].as_array().unwrap().iter().map(|w| (w["code"].clone(), w["pointer"].clone())).collect();
        assert_eq!(warned, [(json!("practice_tells_answers"), json!("/stages/0/modules/0/content/practice"))]);
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let path = format!("/v1/enrollments/{e}/practice");
        let answer = || ada.post(&path, json!({"module": "q", "item": "b", "answer": true}));
        let attempt = ada.post(&format!("/v1/enrollments/{e}/modules/q/attempts"), json!({})).expect(201).id();
        answer().problem(409, "wrong_state");
        assert_eq!(ada.get(&path).expect(200)["module"], "free", "nor is one of its items chosen");
        assert_eq!(ada.get(&format!("{path}?module=q")).expect(200)["item"], json!(null));
        let before = ada.get(&path).expect(200);
        assert_eq!(before["answers"], 0, "nothing was counted");
        ada.post(&format!("/v1/attempts/{attempt}/submit"), json!({})).expect(200);
        app.admin().post(&path, json!({"module": "free", "item": "q", "answer": ["a"]})).problem(403, "forbidden");
        assert_eq!(ada.get(&path).expect(200)["ability"], before["ability"], "nobody else moves it");
        assert_eq!(app.admin().get(&path).expect(200)["answers"], 0, "though others may look");
    }
}
