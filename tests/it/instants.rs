//! What hangs on time: instants that come in and go out, what opens or completes because time has passed, and ends that are seen late.

use chrono::{SecondsFormat, TimeDelta};

use crate::support::factory::{article, modules, quiz, right, sequence, video};
use crate::support::{TestApp, Value, json};

fn linear(modules: Vec<Value>) -> Value {
    json!({"stages": [sequence("s", "linear", modules)]})
}

fn with(mut module: Value, fields: Value) -> Value {
    module.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    module
}

fn ahead(app: &TestApp, seconds: i64) -> String {
    (app.state.clock.now() + TimeDelta::seconds(seconds)).to_rfc3339_opts(SecondsFormat::Micros, true)
}

both! {
    fn spans_are_bounded_and_stored_ones_break_nothing(app) {
        let admin = app.admin();
        let fields = |days: i64| json!({"title": "c", "style": "linear_autoplay", "certificate_valid_days": days});
        for days in [0, 36_501, 2_147_483_647] {
            assert_eq!(admin.post("/v1/courses", fields(days)).faults(), ["/certificate_valid_days"], "{days}");
        }
        let course = app.course_with(fields(36_500), &linear(vec![article("a")]));
        assert_eq!(admin.patch(&format!("/v1/courses/{course}"), json!({"certificate_valid_days": 36_501})).faults(), ["/certificate_valid_days"]);
        // As an earlier version kept it.
        app.state.db.write_here(|conn| {
            use diesel::{ExpressionMethods, RunQueryDsl};
            use cairn::db::schema::courses;
            diesel::update(courses::table).set(courses::certificate_valid_days.eq(i32::MAX)).execute(conn)?;
            Ok(())
        }).unwrap();
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let done = ada.open(&e, "a").expect(200);
        assert_eq!(done["enrollment"]["status"], "completed");
        let certificate = ada.get(&format!("/v1/certificates/{}", done["certificate_id"].as_str().unwrap())).expect(200);
        assert_eq!(certificate["expires_at"], "9999-12-31T23:59:59.999999Z");
        let draft = admin.post("/v1/courses", json!({"title": "d", "style": "linear_hurdles"})).expect(201).id();
        let large = json!({"cooldown_seconds": 4_000_000_000_u64, "time_limit_seconds": 9_000_000_000_000_000_u64});
        let elapsed = json!({"elapsed": {"since": "enrolled", "at_least_seconds": 9_000_000_000_000_000_u64}});
        admin.put(&format!("/v1/courses/{draft}/outline"), linear(vec![
            with(article("a"), json!({"release": {"since": "enrolled", "after_days": 2_147_483_647}})),
            with(article("b"), json!({"when": {"any": [elapsed, {"inactive": {"days": 40_000}}]}})), quiz("q", "hurdle", large)])).expect(200);
        let report = admin.post(&format!("/v1/courses/{draft}/lint"), json!({})).expect(200);
        let mut at: Vec<&str> = report["errors"].as_array().unwrap().iter().map(|e| { assert_eq!(e["code"], "out_of_range"); e["pointer"].as_str().unwrap() }).collect();
        at.sort_unstable();
        let s = "/stages/0/modules";
        assert_eq!(at, [format!("{s}/0/release/after_days"), format!("{s}/1/when"), format!("{s}/1/when"), format!("{s}/2/content/cooldown_seconds"), format!("{s}/2/content/time_limit_seconds")]);
    }

    fn an_instant_lies_within_the_years_of_four_digits(app) {
        let admin = app.admin();
        let course = app.course("linear_autoplay", &linear(vec![article("a"), article("b")]));
        let ada = app.user("ada");
        for at in ["-5000-01-01T00:00:00Z", "-262142-01-01T00:00:00Z", "+262142-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-05:00"] {
            let fields = json!({"user_id": ada.id(), "cohort_start_at": at, "expires_at": at});
            assert_eq!(admin.post(&format!("/v1/courses/{course}/enrollments"), fields).faults(), ["/cohort_start_at", "/expires_at"], "{at}");
            let encoded = at.replace('+', "%2B");
            for list in ["users", "courses", "enrollments", "groups"] {
                assert_eq!(admin.get(&format!("/v1/{list}?updated_since={encoded}&nope=1")).faults(), ["?nope", "?updated_since"], "{list} {at}");
                assert_eq!(admin.get(&format!("/v1/{list}?updated_since={encoded}")).faults(), ["?updated_since"], "{list} {at}");
            }
            assert_eq!(admin.post("/v1/groups", json!({"name": "g", "kind": "static", "external_id": at})).expect(201)["external_id"], at, "a text is no instant");
            admin.get(&format!("/v1/users?external_id={encoded}")).expect(200);
        }
        let e = ada.enroll(&course);
        assert_eq!(ada.open(&e, "a").expect(200)["enrollment"]["status"], "active");
        let id = |n: u128| uuid::Uuid::from_u128(n);
        let path = format!("/v1/enrollments/{e}/events");
        assert_eq!(ada.post(&path, json!({"id": id(1), "type": "opened", "module": "b", "at": "-5000-01-01T00:00:00Z"})).faults(), ["/at"]);
        // In a batch, what cannot be kept is refused by itself.
        let batch = json!({"events": [
            {"id": id(2), "type": "opened", "module": "b", "at": "\u{2d}5000-01-01T00:00:00Z"}, {"id": id(3), "type": "opened", "module": "a\0"},
            {"id": id(4), "type": "opened", "module": "b"}]});
        let answer = ada.post(&path, batch).expect(200);
        let verdict = |n: usize| (answer["results"][n]["status"].as_str().unwrap(), answer["results"][n]["error"]["errors"][0]["pointer"].as_str());
        assert_eq!((verdict(0), verdict(1), verdict(2)), (("rejected", Some("/at")), ("rejected", Some("/module")), ("applied", None)));
        assert_eq!(answer["enrollment"]["status"], "completed");
        ada.post(&path, json!({"events": [{"id": id(5), "type": "opened", "module": "b"}, {"type": "opened", "module": "b"}]})).problem(422, "validation_failed");
    }

    fn what_opens_by_itself_says_when(app) {
        let (soon, late) = (ahead(app, 1_000), ahead(app, 90_000));
        let not_any = json!({"not": {"any": [{"date": {"from": late}}, {"date": {"until": soon}}]}});
        let all = json!({"all": [{"date": {"from": soon}}, {"not": {"date": {"from": late}}}]});
        let nested = json!({"not": {"any": [{"date": {"until": soon}}, {"all": [{"date": {"from": late}}, {"inactive": {"days": 1}}]}]}});
        let course = app.course("random_access", &json!({"stages": [sequence("s", "any", vec![
            with(article("a"), json!({"when": not_any})), with(article("b"), json!({"when": all})), with(article("c"), json!({"when": nested})),
            quiz("f", "final", json!({}))])]}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let path = ada.get(&format!("/v1/enrollments/{e}/path")).expect(200);
        for module in modules(&path.json).iter().take(3) {
            assert_eq!((&module["opens_at"], &module["actions"][0]["until"]), (&json!(soon), &json!(soon)), "{module}");
        }
        app.advance(1_001);
        assert!(ada.states(&e).values().all(|state| state == "available"));
    }

    fn time_alone_completes_a_course(app) {
        let hour = json!({"elapsed": {"since": "enrolled", "at_least_seconds": 3_600}});
        let leaving = linear(vec![article("a"), with(article("tmp"), json!({"when": {"not": hour}, "unmet": "hide"}))]);
        let waived = linear(vec![article("a"), with(article("idle"), json!({"waive_when": {"inactive": {"days": 1}}}))]);
        let ada = app.user("ada");
        let alone = app.course("linear_autoplay", &linear(vec![article("a")]));
        ada.enroll(&alone);
        for (outline, wait) in [(leaving, 3_601), (waived, 86_401)] {
            let course = app.course("linear_autoplay", &outline);
            let (own, assigned) = (app.user("own"), app.user("assigned"));
            let first = own.enroll(&course);
            app.admin().post("/v1/enrollments/bulk", json!({"enrollments": [{"course_id": course, "user_id": assigned.id()}]})).expect(200);
            let second = assigned.all("/v1/enrollments")[0]["id"].as_str().unwrap().to_owned();
            for (who, e) in [(&own, &first), (&assigned, &second)] {
                assert_eq!(who.open(e, "a").expect(200)["enrollment"]["status"], "active");
            }
            app.work();
            app.advance(wait);
            app.work();
            for (who, e) in [(&own, &first), (&assigned, &second)] {
                let seen = who.get(&format!("/v1/enrollments/{e}")).expect(200);
                assert_eq!((&seen["status"], &seen["progress"]["percent"]), (&json!("completed"), &json!(100.0)));
                assert_eq!(who.all("/v1/certificates").len(), 1);
            }
        }
    }

    fn what_appears_by_time_is_stored_too(app) {
        let later = json!({"elapsed": {"since": "enrolled", "at_least_seconds": 600}});
        let course = app.course("linear_autoplay", &linear(vec![article("a"), with(article("b"), json!({"when": later, "unmet": "hide"})),
            with(article("c"), json!({"when": {"elapsed": {"since": "enrolled", "at_least_seconds": 1_200}}, "unmet": "hide"})), article("z")]));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.open(&e, "a").expect(200);
        let get = || ada.get(&format!("/v1/enrollments/{e}")).expect(200);
        for total in [2.0, 3.0, 4.0] {
            app.work();
            let seen = get();
            assert_eq!(seen["progress"]["total_weight"], total);
            assert_eq!(seen["progress"], ada.get(&format!("/v1/enrollments/{e}/path")).expect(200)["progress"]);
            app.advance(601);
        }
        // What was looked at and asks about time no more is left alone.
        let before = get()["updated_at"].clone();
        app.advance(10_000);
        app.work();
        assert_eq!(get()["updated_at"], before);
    }

    fn what_was_done_in_time_counts_though_it_is_seen_late(app) {
        let course = app.course("linear_autoplay", &linear(vec![quiz("q", "core", json!({"time_limit_seconds": 60}))]));
        let begun = |expires: i64| {
            let who = app.user("ada");
            let e = app.admin().post(&format!("/v1/courses/{course}/enrollments"), json!({"user_id": who.id(), "expires_at": ahead(app, expires)})).expect(201).id();
            let attempt = who.post(&format!("/v1/enrollments/{e}/modules/q/attempts"), json!({})).expect(201).id();
            who.put(&format!("/v1/attempts/{attempt}/answers/q"), json!({"answer": right()["q"]})).expect(200);
            (who, e)
        };
        let (in_time, late) = (begun(300), begun(30));
        let gone = begun(3_000);
        gone.0.post(&format!("/v1/enrollments/{}/withdraw", gone.1), json!({})).expect(200);
        app.advance(700);
        app.work();
        let seen = |(_, e): &(crate::support::Client, String)| {
            let seen = app.admin().get(&format!("/v1/enrollments/{e}")).expect(200);
            (seen["status"].as_str().unwrap().to_owned(), seen["progress"]["percent"].as_f64().unwrap(), seen["completed_at"].is_string(), seen["ended_at"].is_string())
        };
        assert_eq!(seen(&in_time), ("completed".into(), 100.0, true, false));
        assert_eq!(in_time.0.all("/v1/certificates").len(), 1);
        // What is over is not complete, whatever was submitted after its end.
        assert_eq!(seen(&late), ("expired".into(), 99.99, false, true));
        assert_eq!(seen(&gone), ("withdrawn".into(), 99.99, false, true));
        assert_eq!(app.admin().get(&format!("/v1/enrollments/{}/path", gone.1)).expect(200)["progress"]["percent"], 99.99);
    }

    fn a_newer_revision_judges_what_was_done_by_its_own_rules(app) {
        let admin = app.admin();
        let v = |key: &str, duration: u32, completion: Value| {
            let mut video = with(video(key), json!({"completion": completion}));
            video["content"]["duration_seconds"] = json!(duration);
            video
        };
        let outline = |duration: u32, percent: u32, spent: Value, pass: u32| linear(vec![
            v("short", duration, json!({"watched_percent": 50})), with(v("easy", 100, json!({"watched_percent": percent})), json!({"role": "optional"})),
            with(article("time"), json!({"completion": spent, "role": "optional"})),
            with(quiz("hard", "optional", json!({"pass_percent": pass, "max_attempts": 1, "grading_method": if pass == 100 { "first" } else { "highest" }})), json!({"completion": {"passed": true}}))]);
        let mut first = outline(100, 90, json!({"time_spent_seconds": 100}), 100);
        let second_item = json!({"key": "q2", "type": "true_false", "prompt": "?", "points": 1, "answer": true});
        let add = |outline: &mut Value| outline["stages"][0]["modules"][3]["content"]["items"].as_array_mut().unwrap().push(second_item.clone());
        add(&mut first);
        let course = app.course("linear_autoplay", &first);
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let watch = |module: &str, from: u32, to: u32| ada.event(&e, json!({"type": "watched", "module": module, "from_seconds": from, "to_seconds": to})).expect(200);
        watch("short", 60, 100);
        admin.post(&format!("/v1/enrollments/{e}/modules/easy/overrides"), json!({"kind": "unlock"})).expect(200);
        watch("easy", 0, 60);
        for key in ["time", "hard"] {
            admin.post(&format!("/v1/enrollments/{e}/modules/{key}/overrides"), json!({"kind": "unlock"})).expect(200);
        }
        ada.event(&e, json!({"type": "time_spent", "module": "time", "seconds": 80})).expect(200);
        ada.attempt(&e, "hard", &right());
        assert_eq!(ada.states(&e)["hard"], "failed");
        let mut next = outline(50, 50, json!({"time_spent_seconds": 50}), 50);
        add(&mut next);
        admin.put(&format!("/v1/courses/{course}/outline"), next).expect(200);
        admin.post(&format!("/v1/courses/{course}/publish"), json!({})).expect(201);
        let would = ada.post(&format!("/v1/enrollments/{e}/upgrade"), json!({"dry_run": true})).expect(200);
        let moved = ada.post(&format!("/v1/enrollments/{e}/upgrade"), json!({})).expect(200);
        assert_eq!(would["enrollment"], moved["enrollment"]);
        let short = ada.get(&format!("/v1/enrollments/{e}/modules/short")).expect(200);
        assert_eq!((&short["watched_percent"], &short["resume_at_seconds"], &short["state"]), (&json!(0.0), &json!(50.0), &json!("in_progress")));
        let states = ada.states(&e);
        assert_eq!((states["easy"].as_str(), states["time"].as_str(), states["hard"].as_str()), ("completed", "completed", "completed"));
        assert_eq!(ada.get(&format!("/v1/enrollments/{e}/path?as_of={}", ahead(app, 0))).expect(200)["progress"], ada.get(&format!("/v1/enrollments/{e}/path")).expect(200)["progress"]);
        assert_eq!(watch("short", 0, 30)["enrollment"]["status"], "completed");
    }

    fn a_newer_revision_may_be_complete_at_once(app) {
        let outline = |percent: u32| linear(vec![with(video("v"), json!({"completion": {"watched_percent": percent}}))]);
        let course = app.course("linear_autoplay", &outline(90));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.watch(&e, "v", 60.0).expect(200);
        app.admin().put(&format!("/v1/courses/{course}/outline"), outline(50)).expect(200);
        app.admin().post(&format!("/v1/courses/{course}/publish"), json!({})).expect(201);
        let would = ada.post(&format!("/v1/enrollments/{e}/upgrade"), json!({"dry_run": true})).expect(200);
        assert_eq!((&would["enrollment"]["status"], &would["certificate_id"]), (&json!("completed"), &Value::Null));
        let moved = ada.post(&format!("/v1/enrollments/{e}/upgrade"), json!({})).expect(200);
        assert_eq!((&moved["enrollment"]["status"], moved["certificate_id"].is_string()), (&json!("completed"), true));
    }
}
