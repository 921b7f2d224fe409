//! The history of a game, live and replayed: who was in a group when, what a reviewer takes back after all, which deeds evidence and
//! attempts undo, who got there first.

use crate::competencies::{assessing, competency};
use crate::games::{audit, close, game};
use crate::games_undone::{
    badge, course, delete, entries, grade, holds, passes, passing, patch, points, replay, settled,
};
use crate::support::factory::{article, right, sequence, unique};
use crate::support::{Client, TestApp, Value, json};

fn group(app: &TestApp, fields: Value) -> String {
    let mut body = json!({"name": unique("Group "), "kind": "static"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    app.admin().post("/v1/groups", body).expect(201).id()
}

fn put(app: &TestApp, group: &str, who: &Client) {
    app.admin().put(&format!("/v1/groups/{group}/members/{}", who.id()), json!({})).expect(204);
}

fn take(app: &TestApp, group: &str, who: &Client) {
    app.admin().delete(&format!("/v1/groups/{group}/members/{}", who.id())).expect(204);
}

fn confirm_all(app: &TestApp, game: &str) {
    for flag in app.admin().all(&format!("/v1/games/{game}/flags?state=open")) {
        let path = format!("/v1/games/{game}/flags/{}/resolve", flag["id"].as_str().unwrap());
        app.admin().post(&path, json!({"resolution": "confirmed"})).expect(200);
    }
}

fn hand(app: &TestApp, game: &str, who: &Client, points: i64) -> String {
    let entry = json!({"user_id": who.id(), "points": points, "reason": "Test."});
    app.admin().post(&format!("/v1/games/{game}/ledger"), entry).expect(201).id()
}

/// The players of a board in order, with when they got there.
fn order(app: &TestApp, game: &str, query: &str) -> Vec<(String, Value)> {
    let board = app.admin().get(&format!("/v1/games/{game}/leaderboard?{query}")).expect(200);
    let items = board["items"].as_array().unwrap();
    let who = |item: &Value| item["user"]["id"].as_str().or(item["team"]["id"].as_str()).unwrap().to_owned();
    items.iter().map(|item| (who(item), item["reached_at"].clone())).collect()
}

both! {
    fn a_deed_counts_for_the_group_of_when_it_was_done(app) {
        let course = course(app);
        let unit = group(app, json!({"kind": "unit"}));
        let below = group(app, json!({"kind": "unit", "parent_id": unit}));
        let dynamic = group(app, json!({"kind": "dynamic", "condition": {"attribute": {"name": "dept", "op": "equals", "value": "Sales"}}}));
        let scope = |id: &str| json!({"scope": {"kind": "group", "id": id}, "point_rules": passing(10)["point_rules"]});
        let games = [game(app, scope(&unit)), game(app, scope(&dynamic)), game(app, json!({"point_rules": [
            {"key": "q", "event": "quiz.passed", "points": 10, "where": {"group": {"id": unit}}}]}))];
        let sells = |dept: &str| json!({"attributes": {"dept": dept}});
        let (left, late, out) = (app.user_with("left", sells("Sales")), app.user("late"), app.user("out"));
        put(app, &below, &left);
        let of = [&left, &late, &out].map(|who| (who, who.enroll(&course)));
        let all = |module: &str| of.iter().map(|(who, e)| passes(app, who, e, module)).collect::<Vec<_>>();
        let sums = |game: &str| [&left, &late, &out].map(|who| points(app, who, game));
        let first = all("q1");
        assert_eq!(games.each_ref().map(|game| sums(game)), [[10, 0, 0]; 3]);
        put(app, &unit, &late);
        take(app, &below, &left);
        app.admin().patch(&format!("/v1/users/{}", left.id()), sells("IT")).expect(200);
        app.admin().patch(&format!("/v1/users/{}", late.id()), sells("Sales")).expect(200);
        app.work();
        all("q2");
        for game in &games {
            assert_eq!(sums(game), [10, 10, 0]);
            settled(app, game);
            let mut rule = app.admin().get(&format!("/v1/games/{game}")).expect(200)["point_rules"][0].clone();
            rule["points"] = json!(11);
            patch(app, game, json!({"point_rules": [rule]}));
            replay(app, game);
            assert_eq!(sums(game), [11, 11, 0]);
        }
        // What somebody did as a member is taken back though they are none any more; what they did not earn is not given.
        delete(app, &first[0]);
        for game in &games {
            assert_eq!(sums(game), [0, 11, 0]);
            settled(app, game);
        }
    }

    fn leaving_right_after_a_deed_does_not_lose_it(app) {
        let course = course(app);
        let unit = group(app, json!({}));
        let game = game(app, json!({"scope": {"kind": "group", "id": unit}, "point_rules": passing(10)["point_rules"]}));
        let (ada, bob) = (app.user("ada"), app.user("bob"));
        put(app, &unit, &ada);
        let (a, b) = (ada.enroll(&course), bob.enroll(&course));
        ada.attempt(&a, "q1", &right());
        bob.attempt(&b, "q1", &right());
        take(app, &unit, &ada);
        put(app, &unit, &bob);
        app.dispatch();
        assert_eq!((points(app, &ada, &game), points(app, &bob, &game)), (10, 0));
        settled(app, &game);
    }

    fn a_review_ends_alike_whenever_it_is_made(app) {
        let course = course(app);
        let rules = json!({"revocation": "review", "point_rules": [
            {"key": "each", "event": "quiz.passed", "points": 10, "repeat": "each"},
            {"key": "cap", "event": "quiz.passed", "points": 7, "cap_total": 7}]});
        let (early, late, by_hand, back) = (game(app, rules.clone()), game(app, rules.clone()), game(app, rules.clone()), game(app, rules));
        let award = badge(app, &late, json!({"award_on": "quiz.passed", "revocation": "review"}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let attempt = passes(app, &ada, &e, "q1");
        delete(app, &attempt);
        confirm_all(app, &early);
        let again = passes(app, &ada, &e, "q1");
        assert_eq!([&early, &late, &by_hand].map(|game| points(app, &ada, game)), [17; 3]);
        confirm_all(app, &late);
        for entry in entries(app, &by_hand) {
            app.admin().post(&format!("/v1/games/{by_hand}/ledger"), json!({"corrects_id": entry["id"], "reason": "Gone."})).expect(201);
        }
        for game in [&early, &late, &by_hand] {
            assert_eq!(points(app, &ada, game), 17, "{:#?}", entries(app, game));
            settled(app, game);
        }
        assert!(entries(app, &late).iter().all(|entry| entry["reason"] != "After a correction: "));
        // The badge is held for the pass that stands.
        let awards = app.admin().all(&format!("/v1/badges/{award}/awards"));
        assert_eq!((awards.len(), awards[0]["state"].as_str()), (1, Some("held")), "{awards:#?}");
        // A grade that was lowered and raised again is another pass.
        confirm_all(app, &back);
        grade(app, &again, 0);
        grade(app, &again, 100);
        confirm_all(app, &back);
        assert_eq!(points(app, &ada, &back), 17);
        settled(app, &back);
        // Without any other pass there is nothing to hold it for.
        delete(app, &again);
        confirm_all(app, &late);
        assert_eq!((points(app, &ada, &late), holds(app, &ada, &award)), (0, false));
        settled(app, &late);
        audit(app, &late);
    }

    fn what_evidence_and_attempts_gave_goes_with_them(app) {
        let c = competency(app, "highest");
        let outline = json!({"stages": [sequence("s", "linear", vec![assessing("q", "core", &[&c], json!({"pass_percent": 50}))])]});
        let course = app.course("linear_autoplay", &outline);
        let rule = |event: &str, points: i64| json!({"key": event, "event": event, "points": points});
        let rules = json!([rule("competency.mastered", 1), rule("evidence.recorded", 10), rule("attempt.started", 100)]);
        let make = |policy: &str| game(app, json!({"point_rules": rules, "revocation": policy}));
        let (game, kept) = (make("revoke"), make("keep"));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let sum = || { app.dispatch(); points(app, &ada, &game) };
        let attempt = passes(app, &ada, &e, "q");
        assert_eq!(sum(), 101);
        grade(app, &attempt, 60);
        assert_eq!(sum(), 100);
        grade(app, &attempt, 100);
        assert_eq!(sum(), 101);
        delete(app, &attempt);
        assert_eq!(sum(), 0);
        settled(app, &game);
        let judge = |score: f64| app.admin().post(&format!("/v1/users/{}/evidence", ada.id()), json!({"competency_id": c, "score": score})).expect(201).id();
        let (good, better) = (judge(0.9), judge(1.0));
        assert_eq!(sum(), 21);
        app.admin().delete(&format!("/v1/evidence/{better}")).expect(204);
        assert_eq!(sum(), 11);
        app.admin().delete(&format!("/v1/evidence/{good}")).expect(204);
        assert_eq!(sum(), 0);
        settled(app, &game);
        settled(app, &kept);
        assert_eq!(points(app, &ada, &kept), 100 + 2 + 20 + 1);
    }

    fn mastery_that_is_lost_to_newer_evidence_was_earned_all_the_same(app) {
        let c = competency(app, "latest");
        let game = game(app, json!({"point_rules": [{"key": "m", "event": "competency.mastered", "points": 1}]}));
        let ada = app.user("ada");
        for score in [1.0, 0.1] {
            app.admin().post(&format!("/v1/users/{}/evidence", ada.id()), json!({"competency_id": c, "score": score})).expect(201);
            app.dispatch();
        }
        assert_eq!(points(app, &ada, &game), 1);
        settled(app, &game);
    }

    fn who_got_there_first_stays_first_when_what_came_later_is_undone(app) {
        let course = course(app);
        let teams = json!({"mode": "teams", "point_rules": passing(10)["point_rules"], "team_score": "sum"});
        let live = game(app, teams.clone());
        let (ada, bob) = (app.user("ada"), app.user("bob"));
        let join = |who: &Client| {
            let team = app.admin().post(&format!("/v1/games/{live}/teams"), json!({"name": unique("Team ")})).expect(201).id();
            app.admin().put(&format!("/v1/games/{live}/teams/{team}/members/{}", who.id()), json!({})).expect(200);
            team
        };
        let of = [join(&ada), join(&bob)];
        let (a, b) = (ada.enroll(&course), bob.enroll(&course));
        passes(app, &ada, &a, "q1");
        app.advance(60);
        passes(app, &bob, &b, "q1");
        let before = ["", "period=week", "view=teams"].map(|query| order(app, &live, query));
        assert_eq!(before[0].iter().map(|(who, _)| who.as_str()).collect::<Vec<_>>(), [ada.id(), bob.id()]);
        assert_eq!(before[2].iter().map(|(who, _)| who.clone()).collect::<Vec<_>>(), of);
        app.advance(60);
        let undone = passes(app, &ada, &a, "q2");
        app.advance(60);
        let entry = hand(app, &live, &ada, 5);
        app.advance(60);
        delete(app, &undone);
        app.admin().post(&format!("/v1/games/{live}/ledger"), json!({"corrects_id": entry, "reason": "Wrong."})).expect(201);
        assert_eq!(["", "period=week", "view=teams"].map(|query| order(app, &live, query)), before);
        // A part that is left counts.
        let entry = hand(app, &live, &bob, 5);
        app.admin().post(&format!("/v1/games/{live}/ledger"), json!({"corrects_id": entry, "points": -4, "reason": "Too much."})).expect(201);
        let now = order(app, &live, "");
        assert_eq!((now[0].0.as_str(), now[0].1 == before[0][1].1), (bob.id(), false));
        audit(app, &live);
    }

    fn a_badge_taken_by_hand_stays_so(app) {
        let game = game(app, json!({"point_rules": passing(10)["point_rules"]}));
        let ten = badge(app, &game, json!({"criteria": {"points": 10}}));
        let then = badge(app, &game, json!({"criteria": {"badges": [ten]}}));
        let ada = app.user("ada");
        hand(app, &game, &ada, 20);
        let award = app.admin().all(&format!("/v1/badges/{ten}/awards"))[0]["id"].as_str().unwrap().to_owned();
        app.admin().post(&format!("/v1/badges/{ten}/awards/{award}/revoke"), json!({"reason": "Cheated."})).expect(200);
        for points in [-1, 5] {
            hand(app, &game, &ada, points);
            assert!(!holds(app, &ada, &ten) && !holds(app, &ada, &then));
        }
        replay(app, &game);
        app.admin().patch(&format!("/v1/badges/{ten}"), json!({"criteria": {"points": 11}})).expect(200);
        assert!(!holds(app, &ada, &ten));
        // By hand it is given again.
        app.admin().post(&format!("/v1/badges/{ten}/awards"), json!({"user_id": ada.id()})).expect(200);
        assert!(holds(app, &ada, &ten) && holds(app, &ada, &then));
    }

    fn a_board_of_a_course_is_for_those_who_learn_there(app) {
        let course = app.course_with(json!({"title": "Improvement", "style": "linear_autoplay", "enrollment_policy": "assigned", "external_id": unique("pip-")}),
            &json!({"stages": [sequence("s", "linear", vec![article("a")])]}));
        let game = game(app, json!({}));
        let (ada, bob, teacher) = (app.user("ada"), app.user("bob"), app.staff("instructor"));
        app.admin().post(&format!("/v1/courses/{course}/enrollments"), json!({"user_id": ada.id()})).expect(201);
        hand(app, &game, &ada, 10);
        let path = format!("/v1/games/{game}/leaderboard?course_id={course}");
        let unknown = bob.get(&format!("/v1/games/{game}/leaderboard?course_id={}", uuid::Uuid::nil())).problem(422, "validation_failed");
        let hidden = bob.get(&path).problem(422, "validation_failed");
        assert_eq!(hidden["errors"], unknown["errors"]);
        for who in [&ada, &teacher, app.admin()] {
            assert_eq!(who.get(&path).expect(200)["total"], 1);
        }
    }

    fn who_hides_on_a_frozen_board_has_no_rank(app) {
        let game = game(app, json!({}));
        let course = course(app);
        let (ada, bob) = (app.user("ada"), app.user("bob"));
        for (who, points) in [(&ada, 20), (&bob, 10)] {
            who.enroll(&course);
            hand(app, &game, who, points);
        }
        close(app, &game).expect(200);
        bob.put("/v1/me/game-preferences", json!({"display": "hidden"})).expect(200);
        for query in ["", "around=me", &format!("course_id={course}"), &format!("course_id={course}&around=me")] {
            let board = bob.get(&format!("/v1/games/{game}/leaderboard?{query}")).expect(200);
            assert_eq!((&board["my_rank"], &board["my_points"]), (&Value::Null, &json!(10)), "{query}");
            assert_eq!(board["items"].as_array().unwrap().len(), usize::from(!query.contains("around")), "{query}");
        }
    }

    fn whoever_is_erased_is_in_no_team(app) {
        let game = game(app, json!({"mode": "teams", "team_size_limit": 1}));
        let (ada, bob) = (app.user("ada"), app.user("bob"));
        let team = app.admin().post(&format!("/v1/games/{game}/teams"), json!({"name": "A"})).expect(201).id();
        let put = |who: &Client| app.admin().put(&format!("/v1/games/{game}/teams/{team}/members/{}", who.id()), json!({}));
        put(&ada).expect(200);
        hand(app, &game, &ada, 10);
        put(&bob).problem(409, "wrong_state");
        app.admin().post(&format!("/v1/users/{}/erase", ada.id()), json!({"confirm": ada.id()})).expect(200);
        app.dispatch();
        put(&bob).expect(200);
        assert_eq!(app.admin().get(&format!("/v1/games/{game}/leaderboard?view=teams")).expect(200)["items"][0]["points"], 10);
    }

    fn draws_and_schedules_stay_within_what_numbers_and_dates_can_say(app) {
        let game = game(app, json!({"mode": "teams"}));
        let path = format!("/v1/games/{game}");
        let ada = app.user("ada");
        for strength in [1_000_000_001_i64, -1_000_000_001] {
            let strong = json!({"teams": 2, "balance": "points", "user_ids": [ada.id()], "strengths": {(ada.id()): strength}});
            assert_eq!(app.admin().post(&format!("{path}/teams/draw"), strong).faults(), [format!("/strengths/{}", ada.id())]);
        }
        for seed in [-1_i64, 1 << 53] {
            let draw = json!({"teams": 2, "seed": seed, "user_ids": [ada.id()]});
            assert_eq!(app.admin().post(&format!("{path}/teams/draw"), draw).faults(), ["/seed"]);
        }
        app.admin().post(&format!("{path}/teams/draw"), json!({"teams": 2, "seed": (1_i64 << 53) - 1, "user_ids": [ada.id()]})).expect(200);
        let late = json!({"format": "round_robin", "round_seconds": 31_536_000, "starts_at": "9999-06-01T00:00:00Z"});
        assert_eq!(app.admin().post(&format!("{path}/matches"), late).faults(), ["/round_seconds"]);
    }
}
