//! What a stranger found unfair in games, each once broken and now kept: ends, corrections, flags, causes undone, who sees what.

use crate::games::{audit, close, course, game, standings};
use crate::support::factory::{article, right, sequence};
use crate::support::{Client, TestApp, Value, json};

fn give(app: &TestApp, game: &str, who: &Client, points: i64) -> String {
    let entry = json!({"user_id": who.id(), "points": points, "reason": "Test."});
    app.admin().post(&format!("/v1/games/{game}/ledger"), entry).expect(201).id()
}

fn badge(app: &TestApp, game: &str, fields: Value) -> String {
    let mut body = json!({"title": "Badge"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    app.admin().post(&format!("/v1/games/{game}/badges"), body).expect(201).id()
}

fn points(app: &TestApp, who: &Client, game: &str) -> i64 {
    let all = app.admin().get(&format!("/v1/users/{}/points", who.id())).expect(200);
    let item = all["items"].as_array().unwrap().iter().find(|item| item["game_id"] == game).cloned();
    item.map_or(0, |item| item["points"].as_i64().unwrap())
}

fn holds(app: &TestApp, who: &Client, badge: &str) -> bool {
    app.admin().all(&format!("/v1/users/{}/badges", who.id())).iter().any(|award| award["badge_id"] == badge)
}

fn unit(app: &TestApp, name: &str, parent: Option<&str>, members: &[&Client]) -> String {
    let mut body = json!({"name": name, "kind": "unit"});
    if let Some(parent) = parent {
        body["parent_id"] = json!(parent);
    }
    let id = app.admin().post("/v1/groups", body).expect(201).id();
    for member in members {
        app.admin().put(&format!("/v1/groups/{id}/members/{}", member.id()), json!({})).expect(204);
    }
    id
}

/// Does all of a course of [`course`].
fn complete(app: &TestApp, who: &Client, course: &str) -> String {
    let enrollment = who.enroll(course);
    who.open(&enrollment, "a").expect(200);
    who.open(&enrollment, "b").expect(200);
    who.attempt(&enrollment, "check", &right());
    app.dispatch();
    enrollment
}

both! {
    fn a_game_is_over_at_its_end_and_not_at_the_next_sweep(app) {
        let ends = app.state.clock.now() + chrono::TimeDelta::hours(1);
        let game = game(app, json!({"ends_at": ends, "mode": "teams", "open_teams": true}));
        let path = format!("/v1/games/{game}");
        let (ada, bob) = (app.user("ada"), app.user("bob"));
        let gold = badge(app, &game, json!({"title": "Gold"}));
        let team = app.admin().post(&format!("{path}/teams"), json!({"name": "A"})).expect(201);
        let entry = give(app, &game, &ada, 10);
        app.advance(3600);
        // No work has been done since: the game has not been closed yet.
        let closed = |answer: crate::support::Answer| answer.problem(409, "wrong_state");
        let admin = app.admin();
        closed(admin.post(&format!("{path}/ledger"), json!({"user_id": bob.id(), "points": 99, "reason": "Late."})));
        closed(admin.post(&format!("{path}/ledger"), json!({"corrects_id": entry, "reason": "Late."})));
        closed(admin.patch(&path, json!({"ends_at": null})));
        closed(admin.patch(&path, json!({"title": "Still on"})));
        closed(admin.post(&format!("{path}/badges"), json!({"title": "Late"})));
        closed(admin.patch(&format!("/v1/badges/{gold}"), json!({"title": "Late"})));
        closed(admin.delete(&format!("/v1/badges/{gold}")));
        closed(admin.post(&format!("/v1/badges/{gold}/awards"), json!({"user_id": bob.id()})));
        closed(admin.post(&format!("{path}/teams"), json!({"name": "B"})));
        closed(admin.patch(&format!("{path}/teams/{}", team.id()), json!({"name": "B"})));
        closed(admin.put(&format!("{path}/teams/{}/members/{}", team.id(), bob.id()), json!({})));
        closed(admin.post(&format!("{path}/teams/draw"), json!({"teams": 2})));
        closed(bob.post(&format!("{path}/teams/join"), json!({"code": team["code"]})));
        closed(admin.post(&format!("{path}/matches"), json!({"format": "round_robin", "round_seconds": 60})));
        closed(admin.post(&format!("{path}/replay"), json!({})));
        while admin.get(&path).expect(200)["status"] == "open" {
            app.advance(2);
            app.work();
        }
        assert_eq!(standings(app, &game), [(1, ada.id().to_owned(), 10)]);
    }

    fn nobody_gets_points_before_the_start_or_after_leaving(app) {
        let starts = app.state.clock.now() + chrono::TimeDelta::hours(1);
        let game = game(app, json!({"starts_at": starts}));
        let (ada, bob) = (app.user("ada"), app.user("bob"));
        let path = format!("/v1/games/{game}/ledger");
        app.admin().post(&path, json!({"user_id": ada.id(), "points": 5, "reason": "Early."})).problem(409, "wrong_state");
        app.advance(3600);
        give(app, &game, &ada, 5);
        let entry = give(app, &game, &bob, 5);
        app.admin().patch(&format!("/v1/users/{}", bob.id()), json!({"state": "left"})).expect(200);
        assert_eq!(app.admin().post(&path, json!({"user_id": bob.id(), "points": 5, "reason": "Gone."})).faults(), ["/user_id"]);
        // What was given wrongly can be taken back all the same.
        app.admin().post(&path, json!({"corrects_id": entry, "reason": "Wrong."})).expect(201);
        app.admin().patch(&format!("/v1/games/{game}"), json!({"ends_at": starts})).problem(422, "validation_failed");
    }

    fn no_entry_is_taken_back_more_than_whole(app) {
        let game = game(app, json!({}));
        let ada = app.user("ada");
        let path = format!("/v1/games/{game}/ledger");
        let correct = |entry: &str, points: Option<i64>| {
            let mut body = json!({"corrects_id": entry, "reason": "Wrong."});
            if let Some(points) = points {
                body["points"] = json!(points);
            }
            app.admin().post(&path, body)
        };
        let entry = give(app, &game, &ada, 50);
        correct(&entry, Some(-50)).expect(201);
        correct(&entry, None).problem(409, "wrong_state");
        assert_eq!(points(app, &ada, &game), 0);
        let entry = give(app, &game, &ada, 50);
        correct(&entry, Some(-20)).expect(201);
        assert_eq!(correct(&entry, Some(-31)).faults(), ["/points"]);
        assert_eq!(correct(&entry, None).expect(201)["points"], -30);
        correct(&entry, None).problem(409, "wrong_state");
        assert_eq!(points(app, &ada, &game), 0);
        audit(app, &game);
    }

    fn a_correction_counts_for_the_week_and_the_team_of_what_it_corrects(app) {
        let game = game(app, json!({"mode": "teams", "season_days": 400}));
        let ada = app.user("ada");
        let team = |name: &str| app.admin().post(&format!("/v1/games/{game}/teams"), json!({"name": name})).expect(201).id();
        let put = |team: &str| app.admin().put(&format!("/v1/games/{game}/teams/{team}/members/{}", ada.id()), json!({})).expect(200);
        let (first, second) = (team("First"), team("Second"));
        put(&first);
        let entry = give(app, &game, &ada, 50);
        let then = app.state.clock.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        app.advance(8 * 86_400);
        put(&second);
        give(app, &game, &ada, 7);
        let correction = json!({"corrects_id": entry, "points": -20, "reason": "Counted twice."});
        let made = app.admin().post(&format!("/v1/games/{game}/ledger"), correction).expect(201);
        assert_eq!(made["team_id"], first);
        let of = |query: &str| {
            let board = app.admin().get(&format!("/v1/games/{game}/leaderboard?{query}")).expect(200);
            board["items"][0]["points"].as_i64().unwrap()
        };
        assert_eq!((of("period=week"), of(&format!("period=week&at={then}")), of("period=all")), (7, 30, 37));
    }

    fn a_confirmed_flag_withholds_the_prize_and_a_dismissed_one_releases_it(app) {
        let course = course(app);
        let game = game(app, json!({"guard": {"max_points_per_hour": 15}}));
        let gold = badge(app, &game, json!({"title": "Gold"}));
        let prizes = json!({"prizes": [{"title": "Medal", "from": 1, "to": 3, "badge_id": gold}]});
        app.admin().patch(&format!("/v1/games/{game}"), prizes).expect(200);
        let (ada, bob, eve) = (app.user("ada"), app.user("bob"), app.user("eve"));
        for who in [&ada, &bob] {
            let enrollment = who.enroll(&course);
            who.open(&enrollment, "a").expect(200);
            who.open(&enrollment, "b").expect(200);
        }
        give(app, &game, &eve, 5);
        app.dispatch();
        let flags = app.admin().all(&format!("/v1/games/{game}/flags?state=open"));
        let resolve = |who: &Client, how: &str| {
            let flag = flags.iter().find(|flag| flag["user_id"] == who.id()).unwrap();
            let path = format!("/v1/games/{game}/flags/{}/resolve", flag["id"].as_str().unwrap());
            app.admin().post(&path, json!({"resolution": how})).expect(200)
        };
        resolve(&ada, "confirmed");
        let report = close(app, &game).expect(200);
        let withheld = |report: &Value| {
            let prizes = report["prizes"].as_array().unwrap().clone();
            [&ada, &bob, &eve].map(|who| prizes.iter().find(|prize| prize["user_id"] == who.id()).unwrap()["withheld"] == true)
        };
        let refused = |report: &Value| {
            let prizes = report["prizes"].as_array().unwrap().clone();
            [&ada, &bob, &eve].map(|who| prizes.iter().find(|prize| prize["user_id"] == who.id()).unwrap()["refused"] == true)
        };
        assert_eq!((withheld(&report.json), standings(app, &game)[0].2), ([true, true, false], 20));
        assert_eq!(refused(&report.json), [true, false, false]);
        assert_eq!([&ada, &bob, &eve].map(|who| holds(app, who, &gold)), [false, false, true]);
        resolve(&bob, "dismissed");
        assert_eq!([&ada, &bob, &eve].map(|who| holds(app, who, &gold)), [false, true, true]);
        let report = app.admin().get(&format!("/v1/games/{game}/report")).expect(200);
        assert_eq!(withheld(&report.json), [true, false, false]);
    }

    fn conditions_of_games_know_groups(app) {
        let course = course(app);
        let (ada, bob) = (app.user("ada"), app.user("bob"));
        let top = unit(app, "Acme", None, &[]);
        unit(app, "Lyon", Some(&top), &[&ada]);
        let crew = app.admin().post("/v1/groups", json!({"name": "Crew", "kind": "static"})).expect(201).id();
        app.admin().put(&format!("/v1/groups/{crew}/members/{}", ada.id()), json!({})).expect(204);
        let rule = |key: &str, group: &str| json!({"key": key, "event": "module.completed", "points": 10, "where": {"group": {"id": group}}});
        let game = game(app, json!({"point_rules": [rule("unit", &top), rule("crew", &crew)]}));
        let award = badge(app, &game, json!({"award_on": "module.completed", "award_where": {"group": {"id": crew}}}));
        for who in [&ada, &bob] {
            let enrollment = who.enroll(&course);
            who.open(&enrollment, "a").expect(200);
        }
        app.dispatch();
        assert_eq!([&ada, &bob].map(|who| (points(app, who, &game), holds(app, who, &award))), [(20, true), (0, false)]);
        let nobody = uuid::Uuid::nil().to_string();
        let wrong = app.admin().post("/v1/games", json!({"title": "x", "point_rules": [rule("r", &nobody)]}));
        assert_eq!(wrong.faults(), ["/point_rules/0/where"]);
        let wrong = json!({"title": "x", "award_on": "quiz.passed", "award_where": {"group": {"id": nobody}}});
        assert_eq!(app.admin().post(&format!("/v1/games/{game}/badges"), wrong).faults(), ["/award_where"]);
    }

    fn what_is_undone_frees_its_rule_live_and_in_a_replay(app) {
        let course = course(app);
        let rules = json!({"revocation": "revoke", "point_rules": [
            {"key": "once", "event": "certificate.issued", "points": 10, "repeat": "once"},
            {"key": "each", "event": "certificate.issued", "points": 10, "repeat": "each"},
            {"key": "cap", "event": "certificate.issued", "points": 10, "cap_total": 10}]});
        let game = game(app, rules);
        let certified = badge(app, &game, json!({"criteria": {"rules": [{"rule": "once", "times": 1}]}}));
        let ada = app.user("ada");
        complete(app, &ada, &course);
        assert_eq!((points(app, &ada, &game), holds(app, &ada, &certified)), (30, true));
        let certificate = ada.all("/v1/certificates")[0]["id"].as_str().unwrap().to_owned();
        app.admin().post(&format!("/v1/certificates/{certificate}/revoke"), json!({"reason": "Copied."})).expect(200);
        app.dispatch();
        assert_eq!((points(app, &ada, &game), holds(app, &ada, &certified)), (0, false));
        complete(app, &ada, &course);
        assert_eq!((points(app, &ada, &game), holds(app, &ada, &certified)), (30, true));
        let replay = format!("/v1/games/{game}/replay");
        assert_eq!(app.admin().post(&format!("{replay}?dry_run=true"), json!({})).expect(200)["items"], json!([]));
        app.admin().post(&replay, json!({})).expect(200);
        assert_eq!(points(app, &ada, &game), 30);
        audit(app, &game);
    }

    fn a_cause_undone_in_the_same_breath_is_taken_back(app) {
        let course = course(app);
        let game = game(app, json!({"point_rules": [{"event": "certificate.issued", "points": 10, "repeat": "once"}]}));
        let ada = app.user("ada");
        let enrollment = ada.enroll(&course);
        ada.open(&enrollment, "a").expect(200);
        ada.open(&enrollment, "b").expect(200);
        ada.attempt(&enrollment, "check", &right());
        let certificate = ada.all("/v1/certificates")[0]["id"].as_str().unwrap().to_owned();
        app.admin().post(&format!("/v1/certificates/{certificate}/revoke"), json!({"reason": "Copied."})).expect(200);
        app.dispatch();
        assert_eq!(points(app, &ada, &game), 0);
        assert_eq!(app.admin().post(&format!("/v1/games/{game}/replay"), json!({})).expect(200)["items"], json!([]));
    }

    fn badges_by_rules_follow_replays_and_new_criteria_reach_back(app) {
        let course = course(app);
        let game = game(app, json!({"point_rules": [{"key": "m", "event": "module.completed", "points": 10}]}));
        let ada = app.user("ada");
        let enrollment = ada.enroll(&course);
        ada.open(&enrollment, "a").expect(200);
        ada.open(&enrollment, "b").expect(200);
        app.dispatch();
        let late = badge(app, &game, json!({"criteria": {"points": 20}}));
        let high = badge(app, &game, json!({"criteria": {"points": 1000}}));
        assert_eq!((holds(app, &ada, &late), holds(app, &ada, &high)), (true, false));
        app.admin().patch(&format!("/v1/badges/{high}"), json!({"criteria": {"points": 10}})).expect(200);
        assert!(holds(app, &ada, &high));
        // A rule that is new, then replayed, has given points as often as it would have; one that is gone has not.
        let rules = |key: &str| json!({"point_rules": [
            {"key": key, "event": "module.completed", "points": 10},
            {"key": "p", "event": "quiz.passed", "points": 1}]});
        app.admin().patch(&format!("/v1/games/{game}"), rules("n")).expect(200);
        let twice = badge(app, &game, json!({"criteria": {"rules": [{"rule": "n", "times": 2}]}}));
        assert!(!holds(app, &ada, &twice));
        app.admin().post(&format!("/v1/games/{game}/replay"), json!({})).expect(200);
        assert!(holds(app, &ada, &twice));
        let entries = app.admin().all(&format!("/v1/games/{game}/ledger"));
        assert_eq!(points(app, &ada, &game), 20);
        // Of what the old rule gave, the replay has left nothing to be taken.
        let gone = json!({"corrects_id": entries[0]["id"], "reason": "Not done."});
        app.admin().post(&format!("/v1/games/{game}/ledger"), gone).problem(409, "wrong_state");
        let entry = entries.iter().find(|entry| entry["rule"] == "n").unwrap()["id"].clone();
        app.admin().post(&format!("/v1/games/{game}/ledger"), json!({"corrects_id": entry, "reason": "Not done."})).expect(201);
        assert!(!holds(app, &ada, &late));
    }

    fn the_games_and_people_of_a_group_are_not_for_everybody(app) {
        let (ada, bob, boss, teacher) = (app.user("ada"), app.user("bob"), app.user("boss"), app.user("teacher"));
        let top = unit(app, "Acme", None, &[]);
        let low = unit(app, "Lyon", Some(&top), &[&ada]);
        for (who, role) in [(&boss, "admin"), (&teacher, "instructor")] {
            let scope = json!({"role": role, "scope": {"kind": "unit", "id": top}});
            app.admin().post(&format!("/v1/users/{}/roles", who.id()), scope).expect(201);
        }
        let ours = game(app, json!({"scope": {"kind": "group", "id": low}}));
        let open = game(app, json!({}));
        give(app, &ours, &ada, 10);
        give(app, &open, &ada, 10);
        give(app, &open, &bob, 20);
        let sees = |who: &Client| who.all("/v1/games").iter().any(|item| item["id"] == ours.as_str());
        assert_eq!([&ada, &bob, &boss, &teacher].map(sees), [true, false, true, true]);
        for path in ["", "/leaderboard", "/teams", "/badges", "/levels", "/ledger", "/live"] {
            bob.get(&format!("/v1/games/{ours}{path}")).problem(404, "not_found");
        }
        ada.get(&format!("/v1/games/{ours}")).expect(200);
        // The members of a unit are shown to themselves and to those who may see who is in it.
        let board = format!("/v1/games/{open}/leaderboard?group_id={low}");
        bob.get(&board).problem(404, "not_found");
        for who in [&ada, &boss, &teacher, app.admin()] {
            assert_eq!(who.get(&board).expect(200)["items"][0]["user"]["id"], ada.id());
        }
        // Whoever has a role for a unit runs its games and knows its people's points, and no others.
        for who in [&boss, &teacher] {
            who.get(&format!("/v1/users/{}/points", ada.id())).expect(200);
            who.get(&format!("/v1/users/{}/badges", ada.id())).expect(200);
            who.get(&format!("/v1/users/{}/points", bob.id())).problem(404, "not_found");
            who.get(&format!("/v1/games/{open}/ledger?user_id={}", ada.id())).expect(200);
            who.get(&format!("/v1/games/{open}/ledger?user_id={}", bob.id())).problem(403, "forbidden");
            who.patch(&format!("/v1/games/{ours}"), json!({"title": "Ours"})).expect(200);
            who.post(&format!("/v1/games/{ours}/ledger"), json!({"user_id": ada.id(), "points": 1, "reason": "Helped."})).expect(201);
            who.get(&format!("/v1/games/{ours}/flags")).expect(200);
            who.patch(&format!("/v1/games/{open}"), json!({"title": "Mine"})).problem(403, "forbidden");
            who.post("/v1/games", json!({"title": "New", "scope": {"kind": "group", "id": low}})).expect(201);
            who.post("/v1/games", json!({"title": "New"})).problem(403, "forbidden");
        }
    }

    fn what_is_asked_must_be_there(app) {
        let game = game(app, json!({"leagues": {"period": "week", "tiers": ["Bronze"], "group_size": 4, "promote": 1, "relegate": 1}, "mode": "teams"}));
        let admin = app.admin();
        admin.get(&format!("/v1/games/{game}/leagues?group=999")).problem(422, "validation_failed");
        admin.get(&format!("/v1/games/{game}/leaderboard?course_id={}", uuid::Uuid::nil())).problem(422, "validation_failed");
        admin.get(&format!("/v1/games/{game}/leaderboard?group_id={}", uuid::Uuid::nil())).problem(422, "validation_failed");
        let ada = app.user("ada");
        ada.put("/v1/me/game-preferences", json!({"display": "hidden"})).expect(200);
        assert_eq!(ada.put("/v1/me/game-preferences", json!({})).faults(), ["/display"]);
        assert_eq!(ada.get("/v1/me/game-preferences").expect(200)["display"], "hidden");
        assert_eq!(admin.post(&format!("/v1/games/{game}/teams/draw"), json!({"teams": 2, "user_ids": []})).faults(), ["/user_ids"]);
    }

    fn tags_guard_members_and_preferences(app) {
        let game = game(app, json!({"mode": "teams"}));
        let admin = app.admin();
        let team = admin.post(&format!("/v1/games/{game}/teams"), json!({"name": "A"})).expect(201);
        let path = format!("/v1/games/{game}/teams/{}", team.id());
        let (ada, bob) = (app.user("ada"), app.user("bob"));
        let tag = team.header("etag").unwrap();
        let member = |who: &Client| format!("{path}/members/{}", who.id());
        admin.call("PUT", &member(&ada), Some(json!({})), &[("if-match", tag)]).expect(200);
        admin.call("PUT", &member(&bob), Some(json!({})), &[("if-match", tag)]).problem(412, "precondition_failed");
        admin.call("DELETE", &member(&ada), None, &[("if-match", tag)]).problem(412, "precondition_failed");
        let now = admin.get(&path).expect(200);
        assert_eq!(now["members"], 1);
        admin.call("DELETE", &member(&ada), None, &[("if-match", now.header("etag").unwrap())]).expect(204);
        let before = ada.get("/v1/me/game-preferences").expect(200);
        let tag = before.header("etag").unwrap();
        let put = |display: &str| ada.call("PUT", "/v1/me/game-preferences", Some(json!({"display": display})), &[("if-match", tag)]);
        put("pseudonym").expect(200);
        put("hidden").problem(412, "precondition_failed");
    }

    fn a_draw_deals_out_those_who_may_play(app) {
        let outline = json!({"stages": [sequence("s", "linear", vec![article("a")])]});
        let course = app.course("linear_autoplay", &outline);
        let people: Vec<Client> = ["ada", "bob", "eve"].map(|name| app.user(name)).into();
        people[0].enroll(&course);
        people[1].enroll(&course);
        let of_course = game(app, json!({"mode": "teams", "scope": {"kind": "course", "id": course}}));
        let group = unit(app, "Acme", None, &people.iter().collect::<Vec<_>>());
        let of_group = game(app, json!({"mode": "teams", "scope": {"kind": "group", "id": group}}));
        let draw = |game: &str| app.admin().post(&format!("/v1/games/{game}/teams/draw"), json!({"teams": 2})).expect(200)["players"].clone();
        assert_eq!((draw(&of_course), draw(&of_group)), (json!(2), json!(3)));
    }

    fn rounds_after_the_end_are_called_off(app) {
        let game = game(app, json!({"mode": "teams"}));
        let ids: Vec<String> = ["A", "B"].map(|name| app.admin().post(&format!("/v1/games/{game}/teams"), json!({"name": name})).expect(201).id()).into();
        let path = format!("/v1/games/{game}/matches");
        app.admin().post(&path, json!({"format": "round_robin", "round_seconds": 3600, "team_ids": ids})).expect(200);
        close(app, &game).expect(200);
        app.advance(3700);
        app.work();
        assert_eq!(app.admin().get(&path).expect(200)["items"][0]["state"], "cancelled");
    }
}
