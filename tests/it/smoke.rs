//! The shortest way through: a course, a learner, a certificate.

use crate::support::factory::{article, quiz, right, sequence, video};
use crate::support::{Value, json};

both! {
    fn a_learner_takes_a_course_to_its_certificate(app) {
        let outline = json!({"stages": [sequence("s", "linear", vec![video("v"), article("a"), quiz("check", "hurdle", json!({"pass_percent": 50}))])]});
        let course = app.course("linear_hurdles", &outline);
        let ada = app.user("ada");
        let enrollment = ada.enroll(&course);
        ada.watch(&enrollment, "v", 100.0).expect(200);
        ada.open(&enrollment, "a").expect(200);
        let done = ada.attempt(&enrollment, "check", &right());
        assert_eq!(done["enrollment"]["status"], "completed");
        let certificates = ada.all("/v1/certificates");
        assert_eq!(certificates.len(), 1);
        let serial = certificates[0]["serial"].as_str().unwrap();
        let seen = app.anyone().get(&format!("/verify/{serial}")).expect(200);
        assert_eq!(seen["valid"], Value::from(true));
    }
}
