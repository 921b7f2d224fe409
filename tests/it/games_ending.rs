//! The end of a game: rounds that are over are won, what is committed is counted, prizes wait for flags and no longer.

use std::sync::mpsc;

use cairn::events::{self, NewEvent};

use crate::games::{close, course, game, standings};
use crate::support::factory::right;
use crate::support::{Client, TestApp, Value, json};

fn give(app: &TestApp, game: &str, who: &Client, points: i64) {
    let entry = json!({"user_id": who.id(), "points": points, "reason": "Test."});
    app.admin().post(&format!("/v1/games/{game}/ledger"), entry).expect(201);
}

fn team(app: &TestApp, game: &str, name: &str, members: &[&Client]) -> String {
    let id = app.admin().post(&format!("/v1/games/{game}/teams"), json!({"name": name})).expect(201).id();
    for who in members {
        app.admin().put(&format!("/v1/games/{game}/teams/{id}/members/{}", who.id()), json!({})).expect(200);
    }
    id
}

both! {
    fn a_round_that_is_over_is_won_before_the_game_is_closed(app) {
        let game = game(app, json!({"mode": "teams"}));
        let (ada, bob) = (app.user("ada"), app.user("bob"));
        let (first, second) = (team(app, &game, "A", &[&ada]), team(app, &game, "B", &[&bob]));
        let path = format!("/v1/games/{game}/matches");
        let schedule = json!({"format": "knock_out", "round_seconds": 3600, "team_ids": [first, second]});
        app.admin().post(&path, schedule).expect(200);
        give(app, &game, &bob, 7);
        app.advance(3601);
        close(app, &game).expect(200);
        let then = app.admin().get(&path).expect(200).json;
        assert_eq!((&then["items"][0]["state"], &then["items"][0]["winner_id"]), (&json!("over"), &json!(second)));
        app.advance(60);
        app.work();
        assert_eq!(app.admin().get(&path).expect(200).json, then);
    }

    fn a_close_waits_for_what_is_being_written(app) {
        let course = course(app);
        let game = game(app, json!({}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        let (begin, begun) = mpsc::channel();
        let state = app.state.clone();
        let slow = std::thread::spawn(move || {
            let ctx = state.system();
            state.db.write_here(move |conn| {
                events::append(conn, &ctx, vec![NewEvent::new("test.slow", "test", ctx.new_id())])?;
                begin.send(()).expect("the test waits");
                std::thread::sleep(std::time::Duration::from_millis(500));
                Ok(())
            })
        });
        begun.recv().expect("the slow transaction has begun");
        ada.open(&e, "a").expect(200);
        assert_eq!(close(app, &game).expect(200)["players"][0]["points"], 10);
        slow.join().expect("no panic").expect("it is committed");
    }

    fn a_team_of_the_schedule_is_not_deleted(app) {
        let game = game(app, json!({"mode": "teams"}));
        let ids: Vec<String> = ["A", "B", "C"].map(|name| team(app, &game, name, &[])).into();
        let path = format!("/v1/games/{game}");
        let later = app.state.clock.now() + chrono::TimeDelta::hours(1);
        let schedule = |ids: &[String]| {
            let body = json!({"format": "knock_out", "round_seconds": 3600, "starts_at": later, "team_ids": ids});
            app.admin().post(&format!("{path}/matches"), body).expect(200);
        };
        schedule(&ids);
        app.admin().delete(&format!("{path}/teams/{}", ids[0])).problem(409, "wrong_state");
        schedule(&ids[1..]);
        app.admin().delete(&format!("{path}/teams/{}", ids[0])).expect(204);
        app.advance(3600);
        app.admin().delete(&format!("{path}/teams/{}", ids[1])).problem(409, "wrong_state");
    }

    fn what_a_team_wins_goes_to_those_who_hide_too(app) {
        let game = game(app, json!({"mode": "teams"}));
        let badge = |title: &str| app.admin().post(&format!("/v1/games/{game}/badges"), json!({"title": title})).expect(201).id();
        let (single, shared) = (badge("Best"), badge("Best team"));
        let prizes = json!({"prizes": [
            {"title": "Best", "from": 1, "to": 2, "badge_id": single},
            {"title": "Best team", "view": "teams", "from": 1, "to": 1, "badge_id": shared}]});
        app.admin().patch(&format!("/v1/games/{game}"), prizes).expect(200);
        let (ada, bob) = (app.user("ada"), app.user("bob"));
        team(app, &game, "A", &[&ada, &bob]);
        give(app, &game, &ada, 10);
        give(app, &game, &bob, 5);
        ada.put("/v1/me/game-preferences", json!({"display": "hidden"})).expect(200);
        let report = close(app, &game).expect(200);
        let won = |who: &Client| {
            let prizes = report["prizes"].as_array().unwrap();
            prizes.iter().filter(|prize| prize["user_id"] == who.id()).map(|prize| prize["badge_id"].clone()).collect::<Vec<Value>>()
        };
        assert_eq!((won(&ada), won(&bob)), (vec![json!(shared)], vec![json!(single), json!(shared)]));
    }

    fn a_flag_about_points_is_resolved_after_the_end_too(app) {
        let course = course(app);
        let rules = json!({"revocation": "review", "point_rules": [{"event": "quiz.passed", "points": 10}]});
        let game = game(app, rules);
        app.admin().patch(&format!("/v1/games/{game}"), json!({"prizes": [{"title": "Gold", "from": 1, "to": 2}]})).expect(200);
        let people = ["ada", "bob"].map(|name| app.user(name));
        for who in &people {
            let e = who.enroll(&course);
            who.open(&e, "a").expect(200);
            who.open(&e, "b").expect(200);
            let attempt = who.attempt(&e, "check", &right()).id();
            app.admin().delete(&format!("/v1/attempts/{attempt}")).expect(204);
        }
        app.dispatch();
        let prizes = |report: &Value| -> Vec<(bool, bool)> {
            let all = report["prizes"].as_array().unwrap();
            people.iter().map(|who| {
                let prize = all.iter().find(|prize| prize["user_id"] == who.id()).unwrap();
                (prize["withheld"] == true, prize["refused"] == true)
            }).collect()
        };
        let report = close(app, &game).expect(200);
        assert_eq!(prizes(&report.json), [(true, false), (true, false)]);
        let final_places = standings(app, &game);
        let flags = app.admin().all(&format!("/v1/games/{game}/flags?state=open"));
        for (who, how) in people.iter().zip(["confirmed", "dismissed"]) {
            let flag = flags.iter().find(|flag| flag["user_id"] == who.id()).unwrap();
            let path = format!("/v1/games/{game}/flags/{}/resolve", flag["id"].as_str().unwrap());
            app.admin().post(&path, json!({"resolution": how})).expect(200);
        }
        let report = app.admin().get(&format!("/v1/games/{game}/report")).expect(200);
        assert_eq!(prizes(&report.json), [(true, true), (false, false)]);
        assert_eq!(standings(app, &game), final_places);
    }
}
