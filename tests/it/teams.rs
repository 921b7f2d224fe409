//! Teams: by hand, by code, drawn; what counts for whom when players move, leave and join late; matches and leagues.

use std::collections::BTreeMap;

use crate::games::{course, game};
use crate::support::factory::learners;
use crate::support::{Client, TestApp, Value, json};

fn team(app: &TestApp, game: &str, name: &str) -> (String, String) {
    let team = app.admin().post(&format!("/v1/games/{game}/teams"), json!({"name": name})).expect(201);
    (team.id(), team["code"].as_str().unwrap().to_owned())
}

fn put(app: &TestApp, game: &str, team: &str, who: &Client) {
    app.admin().put(&format!("/v1/games/{game}/teams/{team}/members/{}", who.id()), json!({})).expect(200);
}

fn give(app: &TestApp, game: &str, who: &Client, points: i64) {
    app.admin()
        .post(&format!("/v1/games/{game}/ledger"), json!({"user_id": who.id(), "points": points, "reason": "Test."}))
        .expect(201);
}

/// Name, points and score of each team, in order.
fn teams(app: &TestApp, game: &str) -> Vec<(String, i64, f64)> {
    let board = app.admin().get(&format!("/v1/games/{game}/leaderboard?view=teams")).expect(200);
    let items = board["items"].as_array().unwrap();
    items
        .iter()
        .map(|i| {
            (
                i["team"]["name"].as_str().unwrap().to_owned(),
                i["points"].as_i64().unwrap(),
                i["score"].as_f64().unwrap(),
            )
        })
        .collect()
}

/// Lets the time of a round pass until its matches are decided.
fn settle(app: &TestApp, path: &str, round: i64) {
    app.advance(3600);
    let open = || {
        let all = app.admin().get(path).expect(200)["items"].clone();
        all.as_array().unwrap().iter().any(|m| m["round"] == round && m["state"] == "scheduled")
    };
    while open() {
        app.advance(5);
        app.work();
    }
}

both! {
    fn points_count_for_the_team_held_when_earned(app) {
        let course = course(app);
        let game = game(app, json!({"mode": "teams", "team_score": "mean"}));
        let ((red, _), (blue, _)) = (team(app, &game, "Red"), team(app, &game, "Blue"));
        let (ada, bob) = (app.user("ada"), app.user("bob"));
        put(app, &game, &red, &ada);
        put(app, &game, &blue, &bob);
        let e = ada.enroll(&course);
        app.advance(1);
        ada.open(&e, "a").expect(200);
        app.advance(1);
        // She moves before the event is dispatched: it was earned for Red.
        put(app, &game, &blue, &ada);
        app.advance(1);
        app.dispatch();
        ada.open(&e, "b").expect(200);
        app.dispatch();
        assert_eq!(teams(app, &game), [("Red".to_owned(), 10, 10.0), ("Blue".to_owned(), 10, 5.0)]);
        // Who leaves without having earned anything weighs nothing; who earned stays in the mean.
        app.admin().delete(&format!("/v1/games/{game}/teams/{blue}/members/{}", bob.id())).expect(204);
        // Of two equal teams the one that got there first stands first.
        let equal = [("Red".to_owned(), 10, 10.0), ("Blue".to_owned(), 10, 10.0)];
        assert_eq!(teams(app, &game), equal);
        app.admin().delete(&format!("/v1/games/{game}/teams/{blue}/members/{}", ada.id())).expect(204);
        assert_eq!(teams(app, &game), equal);
        // A member who joins late lowers the mean at once.
        put(app, &game, &blue, &bob);
        assert_eq!(teams(app, &game)[1], ("Blue".to_owned(), 10, 5.0));
        // Taking back what was earned for Red takes it from Red.
        let first = ada.all(&format!("/v1/games/{game}/ledger"))[0]["id"].clone();
        app.admin().post(&format!("/v1/games/{game}/ledger"), json!({"corrects_id": first, "reason": "Not done."})).expect(201);
        assert_eq!(teams(app, &game), [("Blue".to_owned(), 10, 5.0), ("Red".to_owned(), 0, 0.0)]);
        let ledger = ada.all(&format!("/v1/games/{game}/ledger"));
        let sums = ledger.iter().fold(BTreeMap::<String, i64>::new(), |mut sums, entry| {
            *sums.entry(entry["team_id"].as_str().unwrap().to_owned()).or_default() += entry["points"].as_i64().unwrap();
            sums
        });
        assert_eq!((sums[&red], sums[&blue]), (0, 10));
    }

    fn each_score_has_its_own_winner(app) {
        for (score, winner) in [(json!("sum"), "Big"), (json!("mean"), "Small"), (json!({"top_k": 2}), "Stars")] {
            let game = game(app, json!({"mode": "teams", "team_score": score}));
            let people = learners(app, 10);
            let (big, small, stars) = (team(app, &game, "Big").0, team(app, &game, "Small").0, team(app, &game, "Stars").0);
            for (who, of, points) in [
                (0, &big, 30), (1, &big, 30), (2, &big, 30), (3, &big, 30),
                (4, &small, 40), (5, &stars, 50), (6, &stars, 45), (7, &stars, 1),
            ] {
                put(app, &game, of, &people[who]);
                give(app, &game, &people[who], points);
            }
            assert_eq!(teams(app, &game)[0].0, winner, "{score}");
        }
    }

    fn players_join_by_code_until_the_team_is_full(app) {
        let game = game(app, json!({"mode": "teams", "open_teams": true, "team_size_limit": 2}));
        let (red, code) = team(app, &game, "Red");
        let people = learners(app, 3);
        let join = |who: &Client, code: &str| who.post(&format!("/v1/games/{game}/teams/join"), json!({ "code": code }));
        join(&people[0], "WRONG").problem(403, "access_code_wrong");
        join(&people[0], &code.to_lowercase()).expect(200);
        join(&people[1], &code).expect(200);
        join(&people[1], &code).expect(200);
        join(&people[2], &code).problem(409, "wrong_state");
        assert_eq!(people[2].get(&format!("/v1/games/{game}/teams/{red}")).expect(200)["members"], 2);
        assert!(people[2].get(&format!("/v1/games/{game}/teams/{red}")).expect(200)["code"].is_null());
        people[0].delete(&format!("/v1/games/{game}/teams/{red}/members/{}", people[1].id())).problem(403, "forbidden");
        people[0].delete(&format!("/v1/games/{game}/teams/{red}/members/{}", people[0].id())).expect(204);
        join(&people[2], &code).expect(200);
        assert_eq!(people[0].all(&format!("/v1/games/{game}/teams/{red}/members")).len(), 2);
        app.admin().post(&format!("/v1/games/{game}/teams"), json!({"name": "RED"})).problem(422, "validation_failed");
    }

    fn a_draw_is_even_and_can_be_repeated(app) {
        let game = game(app, json!({"mode": "teams"}));
        let people = learners(app, 23);
        for (n, who) in people.iter().enumerate() {
            give(app, &game, who, 1 + i64::try_from(n * n % 97).unwrap());
        }
        let draw = |seed: i64| app.admin().post(&format!("/v1/games/{game}/teams/draw"), json!({"teams": 4, "balance": "points", "seed": seed})).expect(200);
        let first = draw(7);
        let sizes: Vec<i64> = first["teams"].as_array().unwrap().iter().map(|t| t["size"].as_i64().unwrap()).collect();
        assert_eq!(sizes.iter().sum::<i64>(), 23);
        assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
        assert!(first["strength_spread"].as_f64().unwrap() < 2.0, "{}", first["strength_spread"]);
        assert_ne!(draw(8)["teams"], first["teams"]);
        assert_eq!(draw(7)["teams"], first["teams"]);
        let wrong = app.admin().post(&format!("/v1/games/{game}/teams/draw"), json!({"teams": 2, "user_ids": [uuid::Uuid::nil()]}));
        assert_eq!(wrong.faults(), ["/user_ids/0"]);
    }

    fn a_draw_counts_those_who_stay(app) {
        let game = game(app, json!({"mode": "teams", "team_size_limit": 3}));
        let (old, _) = team(app, &game, "Old");
        let people = learners(app, 12);
        for who in &people[..3] {
            put(app, &game, &old, who);
        }
        let new: Vec<&str> = people[3..].iter().map(Client::id).collect();
        let draw = |teams: u32, balance: &str| {
            app.admin().post(&format!("/v1/games/{game}/teams/draw"), json!({"teams": teams, "balance": balance, "user_ids": new, "seed": 1}))
        };
        for balance in ["size", "points"] {
            assert_eq!(draw(3, balance).faults(), ["/teams"]);
            let drawn = draw(4, balance).expect(200);
            let sizes: Vec<(i64, usize)> = drawn["teams"].as_array().unwrap().iter()
                .map(|team| (team["size"].as_i64().unwrap(), team["user_ids"].as_array().unwrap().len())).collect();
            assert_eq!(sizes, [(3, 0), (3, 3), (3, 3), (3, 3)], "{balance}");
        }
        app.admin().patch(&format!("/v1/games/{game}"), json!({"team_size_limit": null})).expect(200);
        let drawn = draw(3, "size").expect(200);
        assert_eq!(drawn["teams"].as_array().unwrap().iter().map(|team| team["size"].as_i64().unwrap()).collect::<Vec<_>>(), [4, 4, 4]);
    }

    fn a_team_of_the_schedule_stays(app) {
        let game = game(app, json!({"mode": "teams"}));
        let ids: Vec<String> = ["A", "B", "C"].iter().map(|name| team(app, &game, name).0).collect();
        let path = format!("/v1/games/{game}/matches");
        let later = json!({"format": "knock_out", "round_seconds": 3600, "starts_at": "2199-01-01T00:00:00Z", "team_ids": ids});
        app.admin().post(&path, later).expect(200);
        let delete = |id: &str| app.admin().delete(&format!("/v1/games/{game}/teams/{id}"));
        delete(&ids[0]).problem(409, "wrong_state");
        // What has not begun can be drawn up anew without it.
        app.admin().post(&path, json!({"format": "knock_out", "round_seconds": 3600, "team_ids": ids[1..]})).expect(200);
        delete(&ids[0]).expect(204);
        delete(&ids[1]).problem(409, "wrong_state");
    }

    fn rounds_are_won_by_the_points_of_the_round(app) {
        let game = game(app, json!({"mode": "teams", "team_score": "sum"}));
        let people = learners(app, 3);
        let ids: Vec<String> = ["A", "B", "C"].iter().map(|name| team(app, &game, name).0).collect();
        for (who, team) in people.iter().zip(&ids) {
            put(app, &game, team, who);
        }
        let path = format!("/v1/games/{game}/matches");
        let schedule = app.admin().post(&path, json!({"format": "knock_out", "round_seconds": 3600, "team_ids": ids})).expect(200);
        assert_eq!(schedule["items"].as_array().unwrap().iter().map(|m| m["state"].as_str().unwrap()).collect::<Vec<_>>(), ["bye", "scheduled", "scheduled"]);
        give(app, &game, &people[1], 5);
        give(app, &game, &people[2], 9);
        settle(app, &path, 1);
        // A has more points in all, but in the second round C earns more.
        give(app, &game, &people[0], 3);
        give(app, &game, &people[2], 4);
        settle(app, &path, 2);
        let items = people[0].get(&path).expect(200)["items"].clone();
        assert_eq!((&items[1]["winner_id"], &items[1]["away"]["score"]), (&json!(ids[2]), &json!(9.0)));
        assert_eq!((&items[2]["home"]["id"], &items[2]["away"]["id"], &items[2]["winner_id"]), (&json!(ids[0]), &json!(ids[2]), &json!(ids[2])));
        app.admin().post(&path, json!({"format": "round_robin", "round_seconds": 60})).problem(409, "wrong_state");
    }

    fn the_best_of_a_league_rise_and_the_last_fall(app) {
        let game = game(app, json!({"leagues": {"period": "week", "tiers": ["Bronze", "Silver"], "group_size": 4, "promote": 1, "relegate": 1}}));
        let people = learners(app, 8);
        for (n, who) in people.iter().enumerate() {
            give(app, &game, who, 10 + i64::try_from(n).unwrap());
        }
        let drawn = app.admin().post(&format!("/v1/games/{game}/leagues/draw"), json!({})).expect(200);
        assert_eq!((drawn["players"].as_i64(), drawn["groups"].as_i64()), (Some(8), Some(2)));
        app.admin().post(&format!("/v1/games/{game}/leagues/draw"), json!({})).problem(409, "wrong_state");
        let league = |who: &Client| app.acting_as(who.id()).get(&format!("/v1/games/{game}/leagues")).expect(200).json;
        let mine: Value = league(&people[7]);
        assert_eq!((mine["tier"].as_str(), mine["items"][0]["zone"].as_str()), (Some("Bronze"), Some("promote")));
        app.advance(7 * 86_400);
        app.work();
        assert_eq!(league(&people[7])["tier"], "Silver");
        assert_eq!(league(&people[0])["tier"], "Bronze");
    }
}
