//! Leaderboards: ties, around me, periods, pages, opting out, and ranks that agree with a plain sort.

use crate::games::{audit, course, game, standings};
use crate::support::factory::learners;
use crate::support::{Client, TestApp, Value, json};

/// Gives points by hand.
fn give(app: &TestApp, game: &str, who: &str, points: i64) {
    app.admin()
        .post(&format!("/v1/games/{game}/ledger"), json!({"user_id": who, "points": points, "reason": "Test."}))
        .expect(201);
}

fn board(who: &Client, game: &str, query: &str) -> Value {
    who.get(&format!("/v1/games/{game}/leaderboard?{query}")).expect(200).json
}

fn ranks(board: &Value) -> Vec<i64> {
    board["items"].as_array().unwrap().iter().map(|item| item["rank"].as_i64().unwrap()).collect()
}

both! {
    fn ties_go_to_whoever_got_there_first(app) {
        let game = game(app, json!({}));
        let (ada, bob, eve) = (app.user("ada"), app.user("bob"), app.user("eve"));
        give(app, &game, ada.id(), 10);
        app.advance(1);
        give(app, &game, bob.id(), 30);
        app.advance(1);
        give(app, &game, eve.id(), 20);
        app.advance(1);
        // Ada comes to 20 after Eve did.
        give(app, &game, ada.id(), 10);
        let order: Vec<String> = standings(app, &game).into_iter().map(|(_, user, _)| user).collect();
        assert_eq!(order, [bob.id(), eve.id(), ada.id()]);
        // A negative correction moves Bob below both, since he came to 20 last.
        app.advance(1);
        give(app, &game, bob.id(), -10);
        let order: Vec<(i64, String, i64)> = standings(app, &game);
        assert_eq!(order.iter().map(|(_, user, _)| user.as_str()).collect::<Vec<_>>(), [eve.id(), ada.id(), bob.id()]);
        assert_eq!(order.iter().map(|(rank, ..)| *rank).collect::<Vec<_>>(), [1, 2, 3]);
        give(app, &game, bob.id(), -100);
        assert_eq!(standings(app, &game)[2].2, -80);
        audit(app, &game);
    }

    fn around_me_and_pages_agree_with_a_plain_sort(app) {
        let game = game(app, json!({}));
        let people = learners(app, 120);
        // Many ties, more than one key divides the counts.
        let mut wanted: Vec<(i64, usize)> = Vec::new();
        for (n, person) in people.iter().enumerate() {
            let points = 1 + i64::try_from(n * 7 % 11).unwrap();
            give(app, &game, person.id(), points);
            wanted.push((-points, n));
        }
        for (n, person) in people.iter().enumerate().filter(|(n, _)| n % 5 == 0) {
            give(app, &game, person.id(), 4);
            let slot = wanted.iter_mut().find(|(_, m)| *m == n).unwrap();
            slot.0 -= 4;
        }
        let pages = people[0].all(&format!("/v1/games/{game}/leaderboard?limit=17"));
        assert_eq!(pages.len(), 120);
        assert_eq!(pages.iter().map(|i| i["rank"].as_i64().unwrap()).collect::<Vec<_>>(), (1..=120).collect::<Vec<_>>());
        assert!(pages.is_sorted_by_key(|i| (-i["points"].as_i64().unwrap(), i["reached_at"].as_str().unwrap().to_owned())));
        let mut shown: Vec<i64> = pages.iter().map(|i| -i["points"].as_i64().unwrap()).collect();
        let mut sorted: Vec<i64> = wanted.iter().map(|(points, _)| *points).collect();
        sorted.sort_unstable();
        shown.sort_unstable();
        assert_eq!(shown, sorted);
        for person in people.iter().step_by(13) {
            let place = pages.iter().position(|i| i["user"]["id"] == person.id()).unwrap();
            let around = board(person, &game, "around=me&limit=7");
            assert_eq!(around["my_rank"].as_i64(), Some(i64::try_from(place).unwrap() + 1));
            assert_eq!(around["total"], 120);
            let mine = around["items"].as_array().unwrap().iter().find(|i| i["user"]["me"] == true).unwrap();
            assert_eq!(mine["rank"], around["my_rank"]);
            let ranks = ranks(&around);
            assert!(ranks.windows(2).all(|w| w[1] == w[0] + 1), "{ranks:?}");
            let ids: Vec<&Value> = around["items"].as_array().unwrap().iter().map(|i| &i["user"]["id"]).collect();
            let from = usize::try_from(ranks[0]).unwrap() - 1;
            assert_eq!(ids, pages[from..from + ids.len()].iter().map(|i| &i["user"]["id"]).collect::<Vec<_>>());
        }
        let (statements, _) = app.statements(|| board(&people[60], &game, "around=me"));
        assert!(statements <= 12, "{statements}");
        let (top, _) = app.statements(|| board(&people[60], &game, "limit=200"));
        assert!(top <= 12, "{top}");
    }

    fn cursors_do_not_say_who_stands_where_the_page_ends(app) {
        use base64::Engine;
        let course = course(app);
        let game = game(app, json!({}));
        let people = learners(app, 6);
        for (n, person) in people.iter().enumerate() {
            person.enroll(&course);
            person.put("/v1/me/game-preferences", json!({"display": "pseudonym"})).expect(200);
            give(app, &game, person.id(), [30, 20, 20, 20, 10, 10][n]);
        }
        for narrowed in ["", &format!("&course_id={course}")] {
            let path = format!("/v1/games/{game}/leaderboard?limit=1{narrowed}");
            let all = people[0].all(&path);
            let ranks: Vec<i64> = all.iter().map(|item| item["rank"].as_i64().unwrap()).collect();
            assert_eq!(ranks, [1, 2, 3, 4, 5, 6], "{narrowed}");
            let (mut after, mut turned) = (String::new(), 0);
            while let Some(next) = people[0].get(&format!("{path}{after}")).expect(200).json["next"].as_str() {
                let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(next).unwrap();
                for person in &people {
                    let id = uuid::Uuid::parse_str(person.id()).unwrap();
                    assert!(!bytes.windows(8).any(|part| id.as_bytes().ends_with(part)), "{next} names a player");
                }
                after = format!("&after={next}");
                turned += 1;
            }
            assert_eq!(turned, 5);
        }
    }

    fn weeks_and_months_begin_anew(app) {
        let game = game(app, json!({"season_days": 400}));
        let (ada, bob) = (app.user("ada"), app.user("bob"));
        give(app, &game, ada.id(), 100);
        let start = app.state.clock.now();
        app.advance(40 * 86_400);
        give(app, &game, bob.id(), 10);
        for (query, first) in [("period=all", &ada), ("period=week", &bob), ("period=month", &bob), ("period=season", &ada)] {
            let board = board(&ada, &game, query);
            assert_eq!(board["items"][0]["user"]["id"], first.id(), "{query}");
        }
        let then = start.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let past = board(&bob, &game, &format!("period=week&at={then}"));
        assert_eq!((past["items"].as_array().unwrap().len(), past["my_rank"].as_i64()), (1, None));
    }

    fn who_opts_out_is_not_shown_and_takes_no_rank(app) {
        let game = game(app, json!({}));
        let (ada, bob, eve) = (app.user("ada"), app.user("bob"), app.user("eve"));
        for (who, points) in [(&ada, 30), (&bob, 20), (&eve, 10)] {
            give(app, &game, who.id(), points);
        }
        ada.put("/v1/me/game-preferences", json!({"display": "hidden"})).expect(200);
        bob.put("/v1/me/game-preferences", json!({"display": "pseudonym", "game_id": game})).expect(200);
        let seen = board(&eve, &game, "");
        assert_eq!((ranks(&seen), seen["total"].as_i64()), (vec![1, 2], Some(2)));
        let first = &seen["items"][0]["user"];
        assert!(first["id"].is_null() && !first["name"].as_str().unwrap().contains("bob"), "{first}");
        // The player and those who run the game see both.
        assert_eq!(board(&bob, &game, "")["items"][0]["user"]["pseudonym"], first["name"]);
        assert_eq!(board(app.admin(), &game, "")["items"][0]["user"]["id"], bob.id());
        let own = board(&ada, &game, "around=me");
        assert_eq!((own["my_rank"].as_i64(), own["my_points"].as_i64()), (None, Some(30)));
        // More points while hidden, then back again.
        give(app, &game, ada.id(), 1);
        ada.put("/v1/me/game-preferences", json!({"display": null})).expect(200);
        let seen = board(&eve, &game, "");
        assert_eq!(seen["items"][0]["points"], 31);
        assert_eq!(ranks(&seen), [1, 2, 3]);
        audit(app, &game);
    }

    fn parts_are_ranked_among_themselves(app) {
        let game = game(app, json!({}));
        let course = course(app);
        let (ada, bob, eve) = (app.user("ada"), app.user("bob"), app.user("eve"));
        for (who, points) in [(&ada, 30), (&bob, 20), (&eve, 10)] {
            give(app, &game, who.id(), points);
        }
        bob.enroll(&course);
        eve.enroll(&course);
        let part = board(&eve, &game, &format!("course_id={course}"));
        assert_eq!((ranks(&part), part["my_rank"].as_i64(), part["total"].as_i64()), (vec![1, 2], Some(2), Some(2)));
        assert_eq!(part["items"][0]["user"]["id"], bob.id());
        let wrong = ada.get(&format!("/v1/games/{game}/leaderboard?limit=0&after=x&around=me&colour=red"));
        assert_eq!(wrong.faults(), ["?colour"]);
        ada.get(&format!("/v1/games/{game}/leaderboard?after=x")).problem(422, "validation_failed");
        ada.get(&format!("/v1/games/{}/leaderboard", uuid::Uuid::nil())).problem(404, "not_found");
    }
}
