//! Games while they run: groups, live standings, streaks over days, several dispatchers, causes that were corrected.

use std::io::{BufRead, BufReader};

use cairn::app;
use cairn::events::dispatch;

use crate::games::{audit, close, course, game, standings};
use crate::support::factory::{learners, right};
use crate::support::{Client, TestApp, Value, json};

fn group(app: &TestApp, members: &[&Client]) -> String {
    let id = app.admin().post("/v1/groups", json!({"name": "Night shift", "kind": "static"})).expect(201).id();
    for member in members {
        app.admin().put(&format!("/v1/groups/{id}/members/{}", member.id()), json!({})).expect(204);
    }
    id
}

fn entries(app: &TestApp, game: &str) -> usize {
    app.admin().all(&format!("/v1/games/{game}/ledger")).len()
}

/// Points of one game, and the days in a row.
fn points(who: &Client, game: &str) -> (i64, i64, i64) {
    let all = who.get(&format!("/v1/users/{}/points", who.id())).expect(200);
    let item = all["items"].as_array().unwrap().iter().find(|item| item["game_id"] == game).cloned();
    let of = |name: &str| item.as_ref().map_or(0, |item| item[name].as_i64().unwrap());
    (of("points"), of("streak_days"), of("longest_streak_days"))
}

/// The next event of a live stream that is not a comment; none when the stream has ended.
fn next_event(stream: &mut impl BufRead) -> Option<(String, Value)> {
    let mut name = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).expect("a stream") == 0 {
            return None;
        }
        if let Some(text) = line.strip_prefix("event: ") {
            name = text.trim().to_owned();
        } else if let Some(text) = line.strip_prefix("data: ") {
            return Some((name, serde_json::from_str(text).expect("JSON")));
        }
    }
}

both! {
    fn only_members_earn_in_the_game_of_a_group(app) {
        let course = course(app);
        let (ada, bob, eve) = (app.user("ada"), app.user("bob"), app.user("eve"));
        let group = group(app, &[&ada]);
        let game = game(app, json!({"scope": {"kind": "group", "id": group}}));
        let [ea, eb, ee] = [&ada, &bob, &eve].map(|who| who.enroll(&course));
        for (who, e) in [(&ada, &ea), (&bob, &eb), (&eve, &ee)] {
            who.open(e, "a").expect(200);
        }
        app.dispatch();
        assert_eq!(standings(app, &game), [(1, ada.id().to_owned(), 10)]);
        // Who joins later earns from then on; nothing of before is given.
        app.admin().put(&format!("/v1/groups/{group}/members/{}", bob.id()), json!({})).expect(204);
        bob.open(&eb, "b").expect(200);
        app.dispatch();
        app.advance(1);
        assert_eq!([&ada, &bob, &eve].map(|who| points(who, &game).0), [10, 10, 0]);
        // Who leaves keeps what was earned and earns no more.
        app.admin().delete(&format!("/v1/groups/{group}/members/{}", ada.id())).expect(204);
        ada.open(&ea, "b").expect(200);
        bob.attempt(&eb, "check", &right());
        app.dispatch();
        assert_eq!([&ada, &bob, &eve].map(|who| points(who, &game).0), [10, 20, 0]);
        assert_eq!(standings(app, &game).iter().map(|(_, user, _)| user.as_str()).collect::<Vec<_>>(), [bob.id(), ada.id()]);
        audit(app, &game);
    }

    fn live_standings_follow_points_and_end_with_the_game(app) {
        let course = course(app);
        let game = game(app, json!({}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let mut response = ada.stream(&format!("/v1/games/{game}/live"));
        assert_eq!(response.status().as_u16(), 200);
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
        assert_eq!(response.headers()["cache-control"], "no-store");
        let mut stream = BufReader::new(response.body_mut().as_reader());
        let (name, first) = next_event(&mut stream).expect("the standings at once");
        assert_eq!((name.as_str(), &first["status"], &first["players"]["items"]), ("standings", &json!("open"), &json!([])));
        ada.open(&e, "a").expect(200);
        app.dispatch();
        let (name, then) = next_event(&mut stream).expect("the standings when they change");
        let top = &then["players"]["items"][0];
        assert_eq!((name.as_str(), &top["points"], &top["user"]["id"]), ("standings", &json!(10), &json!(ada.id())));
        close(app, &game).expect(200);
        let (_, last) = next_event(&mut stream).expect("the end");
        assert_eq!((&last["status"], &last["players"]["items"][0]["points"]), (&json!("closed"), &json!(10)));
        assert_eq!(next_event(&mut stream), None);
        app.anyone().get(&format!("/v1/games/{game}/live")).problem(401, "unauthenticated");
        ada.get(&format!("/v1/games/{}/live", uuid::Uuid::nil())).problem(404, "not_found");
    }

    fn a_live_stream_ends_with_the_right_to_it(app) {
        let unit = app.admin().post("/v1/groups", json!({"name": "Acme", "kind": "unit"})).expect(201).id();
        let of_unit = game(app, json!({"scope": {"kind": "group", "id": unit}}));
        let watch = |who: &Client, game: &str, end: &dyn Fn()| {
            let mut response = who.stream(&format!("/v1/games/{game}/live"));
            let mut stream = BufReader::new(response.body_mut().as_reader());
            next_event(&mut stream).expect("the standings at once");
            end();
            assert_eq!(next_event(&mut stream), None);
        };
        let site = game(app, json!({}));
        let ada = app.user("ada");
        watch(&ada, &site, &|| drop(app.admin().patch(&format!("/v1/users/{}", ada.id()), json!({"state": "suspended"})).expect(200)));
        let bob = app.user("bob");
        let member = format!("/v1/groups/{unit}/members/{}", bob.id());
        app.admin().put(&member, json!({})).expect(204);
        watch(&bob, &of_unit, &|| drop(app.admin().delete(&member).expect(204)));
        let cat = app.user("cat");
        let role = json!({"role": "instructor", "scope": {"kind": "unit", "id": unit}});
        let roles = format!("/v1/users/{}/roles", cat.id());
        let role = app.admin().post(&roles, role).expect(201).id();
        watch(&cat, &of_unit, &|| drop(app.admin().delete(&format!("{roles}/{role}")).expect(204)));
    }

    fn days_in_a_row_pay_when_they_are_complete(app) {
        let course = course(app);
        let game = game(app, json!({"point_rules": [
            {"key": "each", "event": "module.completed", "points": 1},
            {"key": "row", "event": "module.completed", "points": 100, "streak_days": 2}]}));
        let (ada, bob) = (app.user("ada"), app.user("bob"));
        let (ea, eb) = (ada.enroll(&course), bob.enroll(&course));
        ada.open(&ea, "a").expect(200);
        bob.open(&eb, "a").expect(200);
        app.dispatch();
        assert_eq!(points(&ada, &game), (1, 1, 1));
        app.advance(86_400);
        ada.open(&ea, "b").expect(200);
        app.dispatch();
        assert_eq!(points(&ada, &game), (102, 2, 2));
        // On the day after, the run is still on; once a day was missed, it is over, and the longest stays.
        app.advance(86_400);
        assert_eq!(points(&ada, &game), (102, 2, 2));
        bob.open(&eb, "b").expect(200);
        app.advance(86_400);
        app.dispatch();
        assert_eq!(points(&ada, &game), (102, 0, 2));
        ada.attempt(&ea, "check", &right());
        app.dispatch();
        assert_eq!(points(&ada, &game), (103, 1, 2));
        // Bob missed a day between his two; that the second was handed out late does not count.
        assert_eq!(points(&bob, &game), (2, 1, 1));
        audit(app, &game);
    }

    fn two_dispatchers_give_each_point_once(app) {
        let course = course(app);
        let game = game(app, json!({}));
        let people = learners(app, 12);
        let enrolled: Vec<String> = people.iter().map(|who| who.enroll(&course)).collect();
        std::thread::scope(|threads| {
            let busy = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
            for _ in 0..2 {
                let (state, busy) = (app.state.clone(), std::sync::Arc::clone(&busy));
                threads.spawn(move || {
                    while busy.load(std::sync::atomic::Ordering::Relaxed) {
                        dispatch::drain(&state, &app::consumers()).expect("the events are dispatched");
                    }
                });
            }
            for module in ["a", "b"] {
                for (who, e) in people.iter().zip(&enrolled) {
                    who.open(e, module).expect(200);
                }
            }
            busy.store(false, std::sync::atomic::Ordering::Relaxed);
        });
        app.dispatch();
        assert_eq!(entries(app, &game), 24);
        assert!(standings(app, &game).iter().all(|(_, _, points)| *points == 20));
        audit(app, &game);
    }

    fn a_corrected_attempt_takes_its_points_back(app) {
        let course = course(app);
        let rules = json!([{"key": "m", "event": "module.completed", "points": 10}, {"key": "q", "event": "quiz.passed", "points": 50}]);
        let make = |policy: &str| game(app, json!({"revocation": policy, "point_rules": rules}));
        let (revoke, keep) = (make("revoke"), make("keep"));
        let (ada, teacher) = (app.user("ada"), app.staff("instructor"));
        let e = ada.enroll(&course);
        ada.open(&e, "a").expect(200);
        ada.open(&e, "b").expect(200);
        let attempt = ada.attempt(&e, "check", &right()).id();
        app.dispatch();
        assert_eq!(points(&ada, &revoke).0, 80);
        let path = format!("/v1/attempts/{attempt}");
        teacher.patch(&path, json!({"score_percent": 0, "reason": "Copied."})).expect(200);
        app.dispatch();
        // The pass and the completion of the quiz are undone; the articles stay done.
        assert_eq!((points(&ada, &revoke).0, points(&ada, &keep).0), (20, 80));
        let back: Vec<Value> = app.admin().all(&format!("/v1/games/{revoke}/ledger?kind=reversal"));
        assert_eq!(back.iter().map(|entry| entry["points"].as_i64().unwrap()).sum::<i64>(), -60);
        assert!(back.iter().all(|entry| entry["corrects_id"].is_string()), "{back:?}");
        // Handed out again, nothing is taken twice.
        teacher.patch(&path, json!({"score_percent": 10, "reason": "Looked again."})).expect(200);
        app.dispatch();
        assert_eq!(points(&ada, &revoke).0, 20);
        audit(app, &revoke);
        audit(app, &keep);
    }
}
