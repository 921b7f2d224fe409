//! What people corrected of an entry by hand holds whatever becomes of its cause, live and in a replay; flags and badges follow
//! causes that come back or go through other badges.

use crate::games::{audit, game};
use crate::games_undone::{badge, course, delete, entries, grade, holds, passes, patch, points, replay, settled};
use crate::support::{Answer, Client, TestApp, Value, json};

fn scaled(points: i64) -> Value {
    json!({"point_rules": [{"key": "q", "event": "quiz.passed", "points": points, "scale_by_score": true, "repeat": "each"}]})
}

/// The first entry of a game.
fn first(app: &TestApp, game: &str) -> String {
    entries(app, game)[0]["id"].as_str().unwrap().to_owned()
}

fn correct(app: &TestApp, game: &str, entry: &str, points: impl Into<Option<i64>>) -> Answer {
    let mut body = json!({"corrects_id": entry, "reason": "By hand."});
    if let Some(points) = points.into() {
        body["points"] = json!(points);
    }
    app.admin().post(&format!("/v1/games/{game}/ledger"), body)
}

/// What a replay with these rules would change.
fn preview(app: &TestApp, game: &str, rules: &Value) -> (i64, i64) {
    let body = json!({"point_rules": rules["point_rules"]});
    let out = app.admin().post(&format!("/v1/games/{game}/replay?dry_run=true"), body).expect(200).json;
    let number = |name: &str| out["items"][0][name].as_i64().unwrap();
    (number("before"), number("after"))
}

fn flags(app: &TestApp, game: &str, state: &str) -> Vec<Value> {
    app.admin().all(&format!("/v1/games/{game}/flags?state={state}"))
}

fn resolve(app: &TestApp, game: &str, resolution: &str) {
    for flag in flags(app, game, "open") {
        let path = format!("/v1/games/{game}/flags/{}/resolve", flag["id"].as_str().unwrap());
        app.admin().post(&path, json!({"resolution": resolution})).expect(200);
    }
}

fn give(app: &TestApp, badge: &str, who: &Client) -> String {
    app.admin().post(&format!("/v1/badges/{badge}/awards"), json!({"user_id": who.id()})).expect(200).id()
}

fn revoke(app: &TestApp, badge: &str, award: &str) {
    app.admin().post(&format!("/v1/badges/{badge}/awards/{award}/revoke"), json!({"reason": "Test."})).expect(200);
    app.dispatch();
}

both! {
    fn a_correction_by_hand_holds_whatever_the_score_becomes(app) {
        let course = course(app);
        for (hand, at_full, at_half) in [(-80, 20, 0), (-30, 70, 20), (30, 130, 80)] {
            let game = game(app, scaled(100));
            let ada = app.user("ada");
            let e = ada.enroll(&course);
            let attempt = passes(app, &ada, &e, "q1");
            let entry = first(app, &game);
            correct(app, &game, &entry, hand).expect(201);
            let is = |then: i64| {
                assert_eq!(points(app, &ada, &game), then, "{hand} {:#?}", entries(app, &game));
                settled(app, &game);
                assert_eq!(replay(app, &game)["points_change"], 0);
                assert_eq!(points(app, &ada, &game), then);
            };
            is(at_full);
            for _ in 0..2 {
                grade(app, &attempt, 50);
                is(at_half);
                grade(app, &attempt, 100);
                is(at_full);
            }
            grade(app, &attempt, 50);
            assert_eq!(preview(app, &game, &scaled(200)), (at_half, at_full));
            // Corrected once more while nothing of it stands, or something; it is the sum that counts.
            correct(app, &game, &entry, 40).expect(201);
            is((50 + hand + 40).max(0));
            grade(app, &attempt, 100);
            is(100 + hand + 40);
            // A correction that is taken back was never made.
            for line in entries(app, &game).into_iter().filter(|line| line["kind"] == "correction") {
                correct(app, &game, line["id"].as_str().unwrap(), None).expect(201);
            }
            is(100);
            delete(app, &attempt);
            is(0);
            passes(app, &ada, &e, "q1");
            is(100);
        }
    }

    fn what_was_corrected_goes_with_its_deed_and_no_further(app) {
        let course = course(app);
        let rule = |points: i64| json!({"point_rules": [{"key": "m", "event": "module.completed", "points": points, "repeat": "each"}]});
        for hand in [-6, 5, -12] {
            let game = game(app, rule(12));
            let ada = app.user("ada");
            let e = ada.enroll(&course);
            let attempt = passes(app, &ada, &e, "q1");
            correct(app, &game, &first(app, &game), hand).expect(201);
            let is = |then: i64| {
                assert_eq!(points(app, &ada, &game), then, "{hand} {:#?}", entries(app, &game));
                settled(app, &game);
                replay(app, &game);
                assert_eq!(points(app, &ada, &game), then, "{hand} {:#?}", entries(app, &game));
            };
            is(12 + hand);
            grade(app, &attempt, 0);
            is(0);
            correct(app, &game, &first(app, &game), -1).problem(409, "wrong_state");
            grade(app, &attempt, 100);
            is(12);
        }
    }

    fn new_rules_keep_what_was_corrected_and_never_turn_it_round(app) {
        let course = course(app);
        let rule = |points: i64| json!({"point_rules": [{"key": "q", "event": "quiz.passed", "points": points, "cap_total": 2 * points}]});
        let teams = json!({"mode": "teams", "team_score": "sum", "point_rules": rule(12)["point_rules"]});
        let game = game(app, teams);
        let ada = app.user("ada");
        let team = app.admin().post(&format!("/v1/games/{game}/teams"), json!({"name": "A"})).expect(201).id();
        app.admin().put(&format!("/v1/games/{game}/teams/{team}/members/{}", ada.id()), json!({})).expect(200);
        let e = ada.enroll(&course);
        passes(app, &ada, &e, "q1");
        correct(app, &game, &first(app, &game), -8).expect(201);
        assert_eq!(preview(app, &game, &rule(4)), (4, 0));
        assert_eq!(preview(app, &game, &json!({"point_rules": []})), (4, 0));
        assert_eq!(preview(app, &game, &rule(20)), (4, 12));
        for (points_of_rule, then) in [(4, 0), (20, 12), (12, 4)] {
            patch(app, &game, rule(points_of_rule));
            replay(app, &game);
            assert_eq!(points(app, &ada, &game), then);
            let board = app.admin().get(&format!("/v1/games/{game}/leaderboard?view=teams")).expect(200);
            assert_eq!(board["items"][0]["points"], then);
            settled(app, &game);
        }
        // A correction has freed nothing of the cap.
        passes(app, &ada, &e, "q2");
        passes(app, &ada, &e, "q3");
        assert_eq!(points(app, &ada, &game), 4 + 12);
        settled(app, &game);
        // What a replay took is not there to be taken once more.
        patch(app, &game, rule(10));
        replay(app, &game);
        assert_eq!(points(app, &ada, &game), 2 + 10);
        let entry = first(app, &game);
        assert_eq!(correct(app, &game, &entry, -3).faults(), ["/points"]);
        correct(app, &game, &entry, None).expect(201);
        assert_eq!(points(app, &ada, &game), 10);
        settled(app, &game);
        // All of it is free again, not only what was left.
        passes(app, &ada, &e, "q4");
        assert_eq!(points(app, &ada, &game), 20);
        settled(app, &game);
    }

    fn a_reviewer_says_what_a_cause_is_worth_and_a_correction_holds_on_top(app) {
        let course = course(app);
        let mut rules = scaled(100);
        rules["revocation"] = json!("review");
        let game = game(app, rules);
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let attempt = passes(app, &ada, &e, "q1");
        correct(app, &game, &first(app, &game), -30).expect(201);
        for (score, then) in [(60, 30), (50, 20)] {
            grade(app, &attempt, score);
            assert_eq!(flags(app, &game, "open").len(), 1);
            settled(app, &game);
            resolve(app, &game, "confirmed");
            assert_eq!(points(app, &ada, &game), then);
            settled(app, &game);
        }
        grade(app, &attempt, 100);
        assert_eq!((points(app, &ada, &game), flags(app, &game, "open").len()), (20, 0));
        settled(app, &game);
    }

    fn a_badge_for_a_badge_goes_with_it(app) {
        let course = course(app);
        let game = game(app, json!({}));
        let on = |event: &str, policy: &str| badge(app, &game, json!({"award_on": event, "revocation": policy}));
        let cause = on("quiz.passed", "revoke");
        let all = ["revoke", "revoke", "review", "keep"].map(|policy| on("badge.awarded", policy));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let held = || all.each_ref().map(|badge| holds(app, &ada, badge));
        let attempt = passes(app, &ada, &e, "q1");
        app.dispatch();
        assert!(holds(app, &ada, &cause));
        assert_eq!(held(), [true; 4]);
        delete(app, &attempt);
        app.dispatch();
        assert!(!holds(app, &ada, &cause));
        // What is kept by its own policy earns others as it did before.
        assert!(holds(app, &ada, &all[3]));
        audit(app, &game);
        // Without it, nothing holds them: they do not hold each other.
        let kept = app.admin().all(&format!("/v1/badges/{}/awards", all[3]))[0]["id"].as_str().unwrap().to_owned();
        revoke(app, &all[3], &kept);
        assert_eq!([&all[0], &all[1]].map(|badge| holds(app, &ada, badge)), [false, false]);
        let state = |badge: &str| app.admin().all(&format!("/v1/badges/{badge}/awards")).last().unwrap()["state"].clone();
        assert_eq!(state(&all[2]), "review");
        assert_eq!(flags(app, &game, "open").len(), 1);
        resolve(app, &game, "confirmed");
        app.dispatch();
        assert_eq!(held(), [false; 4]);
    }

    fn a_badge_given_and_taken_by_hand_takes_what_it_earned(app) {
        let game = game(app, json!({}));
        let (good, better) = (badge(app, &game, json!({})), badge(app, &game, json!({"award_on": "badge.awarded"})));
        let then = badge(app, &game, json!({"criteria": {"badges": [better]}}));
        let ada = app.user("ada");
        let award = give(app, &good, &ada);
        app.dispatch();
        assert_eq!([&better, &then].map(|badge| holds(app, &ada, badge)), [true, true]);
        revoke(app, &good, &award);
        assert_eq!([&better, &then].map(|badge| holds(app, &ada, badge)), [false, false]);
        replay(app, &game);
        assert!(!holds(app, &ada, &better));
        give(app, &good, &ada);
        app.dispatch();
        assert_eq!([&better, &then].map(|badge| holds(app, &ada, badge)), [true, true]);
    }

    fn a_flag_whose_cause_is_restored_closes_by_itself(app) {
        let course = course(app);
        let only = json!({"score": {"module": "q1", "at_least": 75}});
        let game = game(app, json!({"revocation": "review", "point_rules": [
            {"key": "q", "event": "quiz.passed", "points": 100, "scale_by_score": true, "repeat": "each"}]}));
        let good = badge(app, &game, json!({"award_on": "quiz.passed", "award_where": only, "revocation": "review"}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let attempt = passes(app, &ada, &e, "q1");
        let state = || app.admin().all(&format!("/v1/badges/{good}/awards"))[0]["state"].clone();
        let count = || ["open", "dismissed", "confirmed"].map(|state| flags(app, &game, state).len());
        grade(app, &attempt, 50);
        assert_eq!((count(), state()), ([2, 0, 0], json!("review")));
        // In part it is still wrong.
        grade(app, &attempt, 80);
        assert_eq!((count(), state()), ([1, 1, 0], json!("held")));
        grade(app, &attempt, 100);
        assert_eq!((count(), points(app, &ada, &game)), ([0, 2, 0], 100));
        let closed = flags(app, &game, "dismissed");
        assert!(closed.iter().all(|flag| flag["note"].is_string() && flag["resolved_by"].is_null()), "{closed:#?}");
        // Not passed at all, then passed after all: the later pass would earn as much.
        grade(app, &attempt, 0);
        assert_eq!((count(), state()), ([2, 2, 0], json!("review")));
        grade(app, &attempt, 100);
        assert_eq!((count(), state(), points(app, &ada, &game)), ([0, 4, 0], json!("held"), 100));
        settled(app, &game);
        // What was closed by itself is asked again.
        grade(app, &attempt, 0);
        assert_eq!(count(), [2, 4, 0]);
        resolve(app, &game, "dismissed");
        for score in [100, 0, 100] {
            grade(app, &attempt, score);
            assert!(flags(app, &game, "open").iter().all(|flag| flag["entry_id"].is_null()), "{score}");
        }
        assert_eq!((flags(app, &game, "open").len(), points(app, &ada, &game)), (0, 100));
        settled(app, &game);
        // What was confirmed stays so.
        grade(app, &attempt, 50);
        resolve(app, &game, "confirmed");
        let confirmed = flags(app, &game, "confirmed").len();
        grade(app, &attempt, 100);
        assert_eq!((flags(app, &game, "open").len(), flags(app, &game, "confirmed").len()), (0, confirmed));
        settled(app, &game);
    }

    fn strengths_count_or_are_refused_and_names_are_told_apart(app) {
        let game = game(app, json!({"mode": "teams"}));
        let (ada, bob, eve) = (app.user("ada"), app.user("bob"), app.user("eve"));
        let path = format!("/v1/games/{game}/teams");
        let draw = |ids: Value, strong: Value| app.admin().post(&format!("{path}/draw"), json!({"teams": 2, "balance": "points", "user_ids": ids, "strengths": strong}));
        let refused = draw(json!([ada.id()]), json!({ada.id(): 1, bob.id(): 2, eve.id(): 3})).faults();
        let mut expected = [bob.id(), eve.id()].map(|id| format!("/strengths/{id}"));
        expected.sort();
        let mut refused = refused;
        refused.sort();
        assert_eq!(refused, expected);
        draw(json!([ada.id()]), json!({ada.id(): 1})).expect(200);
        // Whoever stays in one of the teams is weighed as well.
        draw(json!([bob.id()]), json!({ada.id(): 1, bob.id(): 2})).expect(200);
        let made = app.admin().post(&path, json!({"name": " T0 "})).expect(201);
        assert_eq!(made["name"], "T0");
        assert_eq!(app.admin().post(&path, json!({"name": "t0  "})).faults(), ["/name"]);
        let other = app.admin().post(&path, json!({"name": "T1"})).expect(201).id();
        assert_eq!(app.admin().patch(&format!("{path}/{other}"), json!({"name": "T0 "})).faults(), ["/name"]);
        assert_eq!(app.admin().patch(&format!("{path}/{other}"), json!({"name": " T2 "})).expect(200)["name"], "T2");
    }
}
