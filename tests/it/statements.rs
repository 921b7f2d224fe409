//! The budget of statements: counts do not jitter, times do. Authentication is included.

use crate::openapi::operations;
use crate::support::factory::{article, quiz, right, sequence, video};
use crate::support::world::World;
use crate::support::{TestApp, json};

const READ: u64 = 6;
const EVENT: u64 = 8;

/// Counts one call; the first of its kind is made before, so that caches are as they are in life.
fn counted(app: &TestApp, what: &str, most: u64, call: impl Fn()) {
    let (n, ()) = app.statements(&call);
    assert!(n <= most, "{what}: {n} statements, at most {most}");
}

both! {
    fn reads_of_one_thing(app) {
        let course = app.course("linear_hurdles", &json!({"stages": [sequence("s", "linear", (0..60).map(|n| article(&format!("m{n}"))).chain([quiz("q", "hurdle", json!({}))]).collect())]}));
        let ada = app.user("ada");
        let enrollment = ada.enroll(&course);
        ada.open(&enrollment, "m0").expect(200);
        for path in ["", "/path", "/next", "/modules/m1", "/modules/q/access"] {
            let path = format!("/v1/enrollments/{enrollment}{path}");
            counted(app, &path, READ, || drop(ada.get(&path).expect(200)));
        }
        let at = app.state.clock.now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        counted(app, "as_of", READ + 2, || drop(ada.get(&format!("/v1/enrollments/{enrollment}/path?as_of={at}")).expect(200)));
        for path in ["/v1/me".to_owned(), format!("/v1/courses/{course}")] {
            counted(app, &path, READ, || drop(ada.get(&path).expect(200)));
        }
        for path in [format!("/v1/courses/{course}/outline"), format!("/v1/users/{}", ada.id())] {
            counted(app, &path, READ, || drop(app.admin().get(&path).expect(200)));
        }
    }

    fn every_read_that_the_document_knows(app) {
        let world = World::new(app);
        world.add_client();
        world.add_competencies();
        world.approve();
        world.complete();
        world.set("module_key", "check".into());
        for (method, path, op) in operations() {
            if method == "get" && op["security"].as_array().is_some_and(|s| !s.is_empty()) && world.knows(&path) && !["export_user", "list_scim_resources"].contains(&op["operationId"].as_str().unwrap()) {
                // (An export reads every table about a person once; SCIM's root is two lists in one.)
                let path = world.fill(&path);
                app.admin().get(&path).expect(200);
                counted(app, &path, READ, || drop(app.admin().get(&path).expect(200)));
            }
        }
    }

    fn lists_cost_the_same_for_one_row_and_for_two_hundred(app) {
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![video("v")])]}));
        let learners = crate::support::factory::learners(app, 200);
        for learner in &learners {
            let enrollment = learner.enroll(&course);
            learner.watch(&enrollment, "v", 100.0).expect(200);
        }
        app.admin().get("/v1/me").expect(200);
        for path in ["/v1/users", "/v1/enrollments", "/v1/certificates", "/v1/courses", &format!("/v1/courses/{course}/enrollments")] {
            let count = |limit: usize| app.statements(|| drop(app.admin().get(&format!("{path}?limit={limit}")).expect(200))).0;
            let (one, many) = (count(1), count(200));
            assert!(one == many && many <= READ, "{path}: {one} for one, {many} for two hundred");
        }
    }

    fn learning(app) {
        let outline = json!({"stages": [sequence("s", "linear", vec![video("v"), article("a"), quiz("q", "hurdle", json!({})), article("b"), article("c")])]});
        let course = app.course("linear_hurdles", &outline);
        let ada = app.user("ada");
        let enrollment = ada.enroll(&course);
        ada.watch(&enrollment, "v", 10.0).expect(200);
        counted(app, "a heartbeat of a video", EVENT, || drop(ada.watch(&enrollment, "v", 20.0).expect(200)));
        counted(app, "an event that completes a module", EVENT, || drop(ada.watch(&enrollment, "v", 100.0).expect(200)));
        counted(app, "opening an article", EVENT, || drop(ada.open(&enrollment, "a").expect(200)));
        let events: Vec<_> = (0..500_u32).map(|n| json!({"id": uuid::Uuid::from_u128(u128::from(n) + 1), "type": "watched", "module": "v", "from_seconds": 0, "to_seconds": 1})).collect();
        counted(app, "500 events", EVENT + 2, || drop(ada.post(&format!("/v1/enrollments/{enrollment}/events"), json!({"events": events})).expect(200)));
        counted(app, "a whole attempt: begin, answer, submit", 3 * 9, || drop(ada.attempt(&enrollment, "q", &right())));
        ada.open(&enrollment, "b").expect(200);
        counted(app, "the event that completes the course", EVENT + 5, || drop(ada.open(&enrollment, "c").expect(200)));
    }
}
