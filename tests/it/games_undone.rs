//! Games whose deeds are undone or corrected: the ledger comes to what a replay from the beginning would make of it.

use crate::games::{audit, close, game};
use crate::support::factory::{quiz, right, sequence, wrong};
use crate::support::{Client, TestApp, Value, json};

/// A course of four quizzes in any order.
pub fn course(app: &TestApp) -> String {
    let quizzes = ["q1", "q2", "q3", "q4"].map(|key| quiz(key, "core", json!({"pass_percent": 40})));
    let end = sequence("end", "any", vec![quiz("end", "final", json!({}))]);
    app.course("random_access", &json!({"stages": [sequence("s", "any", quizzes.into()), end]}))
}

pub fn points(app: &TestApp, who: &Client, game: &str) -> i64 {
    of(app, who, game, "points")
}

fn of(app: &TestApp, who: &Client, game: &str, what: &str) -> i64 {
    let all = app.admin().get(&format!("/v1/users/{}/points", who.id())).expect(200);
    let item = all["items"].as_array().unwrap().iter().find(|item| item["game_id"] == game).cloned();
    item.map_or(0, |item| item[what].as_i64().unwrap())
}

pub fn badge(app: &TestApp, game: &str, fields: Value) -> String {
    let mut body = json!({"title": "Badge"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    app.admin().post(&format!("/v1/games/{game}/badges"), body).expect(201).id()
}

pub fn holds(app: &TestApp, who: &Client, badge: &str) -> bool {
    app.admin().all(&format!("/v1/users/{}/badges", who.id())).iter().any(|award| award["badge_id"] == badge)
}

pub fn entries(app: &TestApp, game: &str) -> Vec<Value> {
    app.admin().all(&format!("/v1/games/{game}/ledger"))
}

pub fn patch(app: &TestApp, game: &str, fields: Value) {
    app.admin().patch(&format!("/v1/games/{game}"), fields).expect(200);
}

pub fn replay(app: &TestApp, game: &str) -> Value {
    app.admin().post(&format!("/v1/games/{game}/replay"), json!({})).expect(200).json
}

/// A replay has nothing to do, and every total is the sum of the ledger.
pub fn settled(app: &TestApp, game: &str) {
    let path = format!("/v1/games/{game}/replay?dry_run=true");
    assert_eq!(app.admin().post(&path, json!({})).expect(200)["items"], json!([]), "{:#?}", entries(app, game));
    audit(app, game);
}

pub fn delete(app: &TestApp, attempt: &str) {
    app.admin().delete(&format!("/v1/attempts/{attempt}")).expect(204);
    app.dispatch();
}

pub fn grade(app: &TestApp, attempt: &str, percent: i64) {
    let body = json!({"score_percent": percent, "reason": "Looked again."});
    app.admin().patch(&format!("/v1/attempts/{attempt}"), body).expect(200);
    app.dispatch();
}

pub fn passes(app: &TestApp, who: &Client, enrollment: &str, module: &str) -> String {
    let id = who.attempt(enrollment, module, &right()).id();
    app.dispatch();
    id
}

fn fails(app: &TestApp, who: &Client, enrollment: &str, module: &str) -> String {
    let id = who.attempt(enrollment, module, &wrong()).id();
    app.dispatch();
    id
}

pub fn passing(points: i64) -> Value {
    json!({"point_rules": [{"key": "q", "event": "quiz.passed", "points": points}]})
}

both! {
    fn what_a_replay_booked_is_taken_back_with_its_deed(app) {
        let course = course(app);
        let games = [(4, -6), (25, 15)].map(|(then, change)| (game(app, passing(10)), then, change));
        let late = game(app, json!({"point_rules": []}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let attempt = passes(app, &ada, &e, "q1");
        passes(app, &ada, &e, "q2");
        for (game, then, change) in &games {
            patch(app, game, passing(*then));
            assert_eq!(replay(app, game)["points_change"], 2 * change);
            assert_eq!(points(app, &ada, game), 2 * then);
        }
        // All of its points come from a replay.
        patch(app, &late, passing(10));
        replay(app, &late);
        assert_eq!(points(app, &ada, &late), 20);
        assert!(entries(app, &late).iter().all(|entry| entry["event_id"].is_string() && entry["rule"] == "q"));
        delete(app, &attempt);
        for (game, then, _) in games {
            assert_eq!(points(app, &ada, &game), then, "{:#?}", entries(app, &game));
            settled(app, &game);
        }
        assert_eq!(points(app, &ada, &late), 10);
        settled(app, &late);
    }

    fn a_replay_does_not_pay_for_what_was_undone_before_it(app) {
        let course = course(app);
        let make = |policy: &str| game(app, json!({"point_rules": [], "revocation": policy}));
        let games = ["revoke", "keep", "review"].map(make);
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let attempt = passes(app, &ada, &e, "q1");
        let certified = passes(app, &ada, &e, "q2");
        delete(app, &attempt);
        grade(app, &certified, 60);
        for game in &games {
            patch(app, game, json!({"point_rules": [{"key": "q", "event": "quiz.passed", "points": 10, "scale_by_score": true}]}));
            replay(app, game);
        }
        // Where nothing is taken back by itself, the better score is the one that counts.
        assert_eq!(games.each_ref().map(|game| points(app, &ada, game)), [6, 10, 10]);
        games.iter().for_each(|game| settled(app, game));
    }

    fn a_replay_leaves_alone_what_was_taken_back_by_hand(app) {
        let course = course(app);
        let game = game(app, passing(10));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let attempt = passes(app, &ada, &e, "q1");
        patch(app, &game, passing(25));
        replay(app, &game);
        for entry in entries(app, &game) {
            let back = json!({"corrects_id": entry["id"], "reason": "Copied."});
            app.admin().post(&format!("/v1/games/{game}/ledger"), back).expect(201);
        }
        assert_eq!((points(app, &ada, &game), of(app, &ada, &game, "streak_days")), (0, 0));
        settled(app, &game);
        replay(app, &game);
        assert_eq!(points(app, &ada, &game), 0);
        // There is nothing left to take back a second time.
        delete(app, &attempt);
        assert_eq!(points(app, &ada, &game), 0);
        passes(app, &ada, &e, "q1");
        assert_eq!(points(app, &ada, &game), 25);
        settled(app, &game);
    }

    fn points_and_badges_follow_a_corrected_score(app) {
        let course = course(app);
        let rules = json!([
            {"key": "scaled", "event": "quiz.passed", "points": 100, "scale_by_score": true},
            {"key": "module", "event": "module.completed", "points": 10, "scale_by_score": true},
            {"key": "good", "event": "quiz.passed", "points": 1000, "where": {"score": {"module": "q1", "at_least": 75}}}]);
        let make = |policy: &str| game(app, json!({"point_rules": rules, "revocation": policy}));
        let (revoke, keep, review) = (make("revoke"), make("keep"), make("review"));
        let good = badge(app, &revoke, json!({"award_on": "quiz.passed", "award_where": {"score": {"module": "q1", "at_least": 75}}}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let attempt = passes(app, &ada, &e, "q1");
        let all = || [&revoke, &keep, &review].map(|game| points(app, &ada, game));
        assert_eq!((all(), holds(app, &ada, &good)), ([1110; 3], true));
        grade(app, &attempt, 50);
        assert_eq!((all(), holds(app, &ada, &good)), ([55, 1110, 1110], false));
        let flags = || app.admin().all(&format!("/v1/games/{review}/flags?state=open"));
        assert_eq!(flags().len(), 3);
        grade(app, &attempt, 50);
        assert_eq!(flags().len(), 3);
        for flag in flags() {
            let path = format!("/v1/games/{review}/flags/{}/resolve", flag["id"].as_str().unwrap());
            app.admin().post(&path, json!({"resolution": "confirmed"})).expect(200);
        }
        assert_eq!(all(), [55, 1110, 55]);
        for game in [&revoke, &keep, &review] {
            settled(app, game);
        }
        grade(app, &attempt, 80);
        assert_eq!((points(app, &ada, &revoke), holds(app, &ada, &good)), (1088, true));
        grade(app, &attempt, 100);
        assert_eq!((points(app, &ada, &revoke), points(app, &ada, &keep)), (1110, 1110));
        settled(app, &revoke);
        settled(app, &keep);
        delete(app, &attempt);
        assert_eq!((points(app, &ada, &revoke), holds(app, &ada, &good)), (0, false));
        settled(app, &revoke);
    }

    fn what_a_failure_gave_is_taken_back_with_it(app) {
        let course = course(app);
        let game = game(app, json!({"point_rules": [{"key": "tried", "event": "quiz.failed", "points": 5}]}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let (corrected, deleted) = (fails(app, &ada, &e, "q1"), fails(app, &ada, &e, "q2"));
        assert_eq!(points(app, &ada, &game), 10);
        grade(app, &corrected, 90);
        assert_eq!(points(app, &ada, &game), 5);
        delete(app, &deleted);
        assert_eq!(points(app, &ada, &game), 0);
        // Failed after all.
        grade(app, &corrected, 10);
        assert_eq!(points(app, &ada, &game), 5);
        settled(app, &game);
    }

    fn a_run_of_days_breaks_where_a_deed_is_undone(app) {
        let course = course(app);
        let rules = json!({"point_rules": [
            {"key": "each", "event": "quiz.passed", "points": 1},
            {"key": "row", "event": "quiz.passed", "points": 50, "streak_days": 3}]});
        let live = game(app, rules.clone());
        let later = game(app, json!({"point_rules": []}));
        let (row, first) = (json!({"criteria": {"streak_days": 3}}), json!({"award_on": "quiz.passed"}));
        let badges = [&live, &later].map(|game| [badge(app, game, row.clone()), badge(app, game, first.clone())]);
        let of_history = badge(app, &later, json!({"award_on": "quiz.passed", "award_where": {"score": {"module": "q2", "at_least": 50}}}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let mut attempts = Vec::new();
        for module in ["q1", "q2", "q3"] {
            attempts.push(passes(app, &ada, &e, module));
            app.advance(86_400);
        }
        patch(app, &later, rules);
        replay(app, &later);
        let days = |game: &str| (points(app, &ada, game), of(app, &ada, game, "longest_streak_days"));
        for (game, badges) in [&live, &later].iter().zip(&badges) {
            assert_eq!((days(game), badges.each_ref().map(|id| holds(app, &ada, id))), ((53, 3), [true, true]));
        }
        delete(app, &attempts[1]);
        for (game, badges) in [&live, &later].iter().zip(&badges) {
            assert_eq!((days(game), badges.each_ref().map(|id| holds(app, &ada, id))), ((2, 1), [false, true]));
            settled(app, game);
        }
        assert!(!holds(app, &ada, &of_history));
        // A badge that rested on the first is held for the third; without any, it is gone.
        delete(app, &attempts[0]);
        assert!(holds(app, &ada, &badges[0][1]));
        delete(app, &attempts[2]);
        assert!(!holds(app, &ada, &badges[0][1]));
        assert_eq!(days(&live), (0, 0));
        settled(app, &live);
    }

    fn a_replay_gives_the_badges_of_its_history_once(app) {
        let course = course(app);
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let game = game(app, json!({"starts_at": app.state.clock.now() - chrono::TimeDelta::hours(1)}));
        passes(app, &ada, &e, "q1");
        let late = badge(app, &game, json!({"award_on": "quiz.passed"}));
        assert!(!holds(app, &ada, &late));
        replay(app, &game);
        assert!(holds(app, &ada, &late));
        let award = app.admin().all(&format!("/v1/badges/{late}/awards"))[0]["id"].as_str().unwrap().to_owned();
        app.admin().post(&format!("/v1/badges/{late}/awards/{award}/revoke"), json!({"reason": "By mistake."})).expect(200);
        replay(app, &game);
        assert!(!holds(app, &ada, &late));
    }

    fn points_for_a_badge_go_with_it(app) {
        let game = game(app, json!({"point_rules": [{"key": "badge", "event": "badge.awarded", "points": 10}]}));
        badge(app, &game, json!({"criteria": {"points": 100}}));
        let by_hand = badge(app, &game, json!({}));
        let ada = app.user("ada");
        let give = |points: i64| {
            let entry = json!({"user_id": ada.id(), "points": points, "reason": "Test."});
            app.admin().post(&format!("/v1/games/{game}/ledger"), entry).expect(201);
            app.dispatch();
            points
        };
        let mut given = give(100);
        assert_eq!(points(app, &ada, &game), given + 10);
        for points in [-50, 50, -50, 50] {
            given += give(points);
        }
        assert_eq!(points(app, &ada, &game), given + 10);
        let award = app.admin().post(&format!("/v1/badges/{by_hand}/awards"), json!({"user_id": ada.id()})).expect(200).id();
        app.dispatch();
        assert_eq!(points(app, &ada, &game), given + 20);
        app.admin().post(&format!("/v1/badges/{by_hand}/awards/{award}/revoke"), json!({"reason": "By mistake."})).expect(200);
        app.dispatch();
        assert_eq!(points(app, &ada, &game), given + 10);
        settled(app, &game);
        close(app, &game).expect(200);
    }

    /// The day of the last points is remembered beside the sums; what is undone must not leave it standing.
    fn a_streak_goes_on_where_it_stands_after_undoing(app) {
        let course = course(app);
        let game = game(app, passing(10));
        let (ada, bob) = (app.user("ada"), app.user("bob"));
        let [ea, eb] = [&ada, &bob].map(|who| who.enroll(&course));
        let days = |who: &Client| (points(app, who, &game), of(app, who, &game, "streak_days"), of(app, who, &game, "longest_streak_days"));
        let first = passes(app, &ada, &ea, "q1");
        passes(app, &bob, &eb, "q1");
        app.advance(86_400);
        // Twice on a day, of which one is undone; both of the next day; all.
        let second = passes(app, &ada, &ea, "q2");
        let third = passes(app, &ada, &ea, "q3");
        passes(app, &bob, &eb, "q2");
        passes(app, &bob, &eb, "q3");
        assert_eq!((days(&ada), days(&bob)), ((30, 2, 2), (30, 2, 2)));
        delete(app, &third);
        assert_eq!(days(&ada), (20, 2, 2));
        delete(app, &second);
        assert_eq!(days(&ada), (10, 1, 1));
        let again = passes(app, &ada, &ea, "q4");
        assert_eq!(days(&ada), (20, 2, 2));
        delete(app, &again);
        delete(app, &first);
        assert_eq!(days(&ada), (0, 0, 0));
        // Points by hand are no deed: they hold no streak, and what is earned after them on that day does.
        let entry = json!({"user_id": ada.id(), "points": 5, "reason": "Test."});
        app.admin().post(&format!("/v1/games/{game}/ledger"), entry).expect(201);
        assert_eq!(days(&ada), (5, 0, 0));
        passes(app, &ada, &ea, "q2");
        assert_eq!(days(&ada), (15, 1, 1));
        app.advance(86_400);
        passes(app, &ada, &ea, "q3");
        passes(app, &bob, &eb, "q4");
        assert_eq!((days(&ada), days(&bob)), ((25, 2, 2), (40, 3, 3)));
        settled(app, &game);
        // Hidden between two entries of a day: the second does not bring the player back onto the board.
        bob.put("/v1/me/game-preferences", json!({"display": "hidden", "game_id": game})).expect(200);
        let entry = json!({"user_id": bob.id(), "points": 5, "reason": "Test."});
        app.admin().post(&format!("/v1/games/{game}/ledger"), entry).expect(201);
        let board = app.admin().get(&format!("/v1/games/{game}/leaderboard")).expect(200);
        assert_eq!(board["items"].as_array().unwrap().len(), 1, "{:#?}", board.json);
        settled(app, &game);
    }

    fn corrections_of_corrections_leave_no_more_and_no_less_than_was_given(app) {
        let game = game(app, json!({"point_rules": []}));
        let ada = app.user("ada");
        let path = format!("/v1/games/{game}/ledger");
        let book = |fields: Value| {
            let mut body = json!({"reason": "Test."});
            body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            app.admin().post(&path, body)
        };
        let give = |points: i64| book(json!({"user_id": ada.id(), "points": points})).expect(201).id();
        let change = |entry: &str, points: i64| book(json!({"corrects_id": entry, "points": points}));
        let back = |entry: &str| book(json!({"corrects_id": entry}));
        let first = give(5);
        let less = change(&first, -1).expect(201).id();
        change(&less, -9).expect(422);
        change(&less, -5).expect(422);
        change(&less, -4).expect(201);
        assert_eq!(points(app, &ada, &game), 0);
        back(&first).expect(409);
        // A correction taken back is one that never was.
        let second = give(5);
        let less = change(&second, -1).expect(201).id();
        back(&less).expect(201);
        assert_eq!(back(&second).expect(201)["points"], -5);
        assert_eq!(points(app, &ada, &game), 0);
        // What is given back again is left.
        let third = give(5);
        let all = back(&third).expect(201).id();
        change(&all, 3).expect(201);
        assert_eq!(points(app, &ada, &game), 3);
        assert_eq!(back(&third).expect(201)["points"], -3);
        back(&third).expect(409);
        assert_eq!(points(app, &ada, &game), 0);
        settled(app, &game);
    }
}
