//! Games: points from events, the ledger, corrections, closing, replay, exactly once.

use std::sync::atomic::{AtomicU32, Ordering};

use cairn::db::Conn;
use cairn::error::{AppError, AppResult};
use cairn::events::Event;
use cairn::events::dispatch::{self, Consumer};
use cairn::state::Ctx;

use crate::support::factory::{article, quiz, right, sequence};
use crate::support::{Client, TestApp, Value, json};

/// A course of two articles in any order and a quiz at the end.
pub fn course(app: &TestApp) -> String {
    let outline = json!({"stages": [sequence("s", "linear", vec![article("a"), article("b"), quiz("check", "hurdle", json!({"pass_percent": 50}))])]});
    app.course("linear_hurdles", &outline)
}

/// A game with rules.
pub fn game(app: &TestApp, fields: Value) -> String {
    let mut body = json!({"title": "Challenge", "point_rules": [{"event": "module.completed", "points": 10}]});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    app.admin().post("/v1/games", body).expect(201).id()
}

/// Points of the all-time leaderboard, by user id.
pub fn standings(app: &TestApp, game: &str) -> Vec<(i64, String, i64)> {
    let board = app.admin().get(&format!("/v1/games/{game}/leaderboard?limit=200")).expect(200);
    board["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| {
            (i["rank"].as_i64().unwrap(), i["user"]["id"].as_str().unwrap().to_owned(), i["points"].as_i64().unwrap())
        })
        .collect()
}

/// Every total shown is the sum of the ledger.
pub fn audit(app: &TestApp, game: &str) {
    let entries = app.admin().all(&format!("/v1/games/{game}/ledger"));
    for period in ["all", "week", "month", "season"] {
        let board = app.admin().get(&format!("/v1/games/{game}/leaderboard?limit=200&period={period}")).expect(200);
        // A scenario may cross the end of a week, whatever day it is run on.
        let start = board["period_start"].as_str().unwrap_or_default();
        let mut sums = std::collections::BTreeMap::<&str, i64>::new();
        for entry in entries.iter().filter(|entry| entry["at"].as_str().unwrap() >= start) {
            *sums.entry(entry["user_id"].as_str().unwrap()).or_default() += entry["points"].as_i64().unwrap();
        }
        for item in board["items"].as_array().unwrap() {
            let user = item["user"]["id"].as_str().unwrap();
            assert_eq!(item["points"].as_i64(), sums.get(user).copied(), "{period} {user}");
        }
    }
    assert_eq!(misremembered(app, game), 0, "sums that remember another day than the streak of their player");
}

/// How many sums of a game remember another day than the last of the player's streak.
fn misremembered(app: &TestApp, game: &str) -> i64 {
    use diesel::RunQueryDsl;
    #[derive(diesel::QueryableByName)]
    struct Count {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        n: i64,
    }
    let sql = |day: &str| {
        format!(
            "SELECT COUNT(*) AS n FROM game_standings s JOIN game_boards b ON b.id = s.board_id LEFT JOIN game_players p \
             ON p.game_id = b.game_id AND p.user_id = s.user_id WHERE b.game_id = '{game}' AND s.earned_on IS NOT NULL \
             AND (p.streak_last IS NULL OR b.bucket <> 'all' OR {day} <> s.earned_on)"
        )
    };
    let (lite, pg) = (sql("p.streak_last / 86400000000"), sql("EXTRACT(EPOCH FROM p.streak_last)::bigint / 86400"));
    let count = move |conn: &mut cairn::db::Conn| -> cairn::error::AppResult<Count> {
        Ok(match conn {
            cairn::db::Conn::Pg(c) => diesel::sql_query(pg).get_result::<Count>(c)?,
            cairn::db::Conn::Sqlite(c) => diesel::sql_query(lite).get_result::<Count>(c)?,
        })
    };
    app.state.db.read_here(count).unwrap().n
}

/// Closes a game.
pub fn close(app: &TestApp, game: &str) -> crate::support::Answer {
    app.admin().post(&format!("/v1/games/{game}/close"), json!({}))
}

fn points(who: &Client, game: &str) -> i64 {
    let all = who.get(&format!("/v1/users/{}/points", who.id())).expect(200);
    let item = all["items"].as_array().unwrap().iter().find(|item| item["game_id"] == game).cloned();
    item.map_or(0, |item| item["points"].as_i64().unwrap())
}

both! {
    fn points_follow_events_with_reason_and_cause(app) {
        let course = course(app);
        let rules = json!({"point_rules": [
            {"event": "module.completed", "points": 10, "repeat": "each"},
            {"key": "passed", "event": "quiz.passed", "points": 50, "scale_by_score": true, "where": {"score": {"module": "check", "at_least": 80}}},
            {"key": "first", "event": "module.completed", "points": 5, "repeat": "once"},
            {"key": "other", "event": "module.completed", "points": 1000, "where": {"module": {"key": "elsewhere", "is": "completed"}}}
        ], "levels": [{"name": "Novice", "points": 0}, {"name": "Explorer", "points": 20}, {"name": "Expert", "points": 500}]});
        let game = game(app, rules);
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.open(&e, "a").expect(200);
        assert_eq!(points(&ada, &game), 0);
        app.dispatch();
        assert_eq!(points(&ada, &game), 15);
        ada.open(&e, "b").expect(200);
        ada.attempt(&e, "check", &right());
        app.dispatch();
        // Three modules, the first one, the quiz.
        assert_eq!(points(&ada, &game), 30 + 5 + 50);
        let ledger = ada.all(&format!("/v1/games/{game}/ledger"));
        assert_eq!(ledger.len(), 5);
        assert!(ledger.iter().all(|entry| entry["kind"] == "rule" && entry["event_id"].is_string()), "{ledger:?}");
        assert_eq!(ledger[0]["reason"], "module.completed a");
        let levels = ada.get(&format!("/v1/games/{game}/levels")).expect(200);
        assert_eq!((levels["level"]["name"].as_str(), levels["points"].as_i64()), (Some("Explorer"), Some(85)));
        // Nobody else sees it.
        app.user("bob").get(&format!("/v1/games/{game}/ledger?user_id={}", ada.id())).problem(403, "forbidden");
        audit(app, &game);
    }

    fn caps_and_quiet_intervals_stop_farming(app) {
        let course = course(app);
        let game = game(app, json!({"point_rules": [
            {"key": "capped", "event": "module.completed", "points": 10, "cap_per_day": 15},
            {"key": "quiet", "event": "module.completed", "points": 1, "min_interval_seconds": 3600}]}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.open(&e, "a").expect(200);
        ada.open(&e, "b").expect(200);
        ada.attempt(&e, "check", &right());
        app.dispatch();
        assert_eq!(points(&ada, &game), 16);
    }

    fn an_event_counts_once_though_the_worker_dies_between(app) {
        static CALLS: AtomicU32 = AtomicU32::new(0);
        /// Does the work, then dies before the commit, the first two times.
        fn dying(conn: &mut Conn, ctx: &Ctx, log: &[Event]) -> AppResult<()> {
            (cairn::features::games::CONSUMER.handle)(conn, ctx, log)?;
            if CALLS.fetch_add(1, Ordering::SeqCst) % 3 < 2 { Err(AppError::internal("the power went")) } else { Ok(()) }
        }
        let course = course(app);
        let game = game(app, json!({}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.open(&e, "a").expect(200);
        ada.open(&e, "b").expect(200);
        let consumer = Consumer { name: cairn::features::games::CONSUMER.name, handle: dying };
        let mut crashes = 0;
        while dispatch::step(&app.state, &consumer).map_or(true, |n| n > 0) {
            crashes += 1;
            assert!(crashes < 200);
        }
        app.dispatch();
        assert_eq!(points(&ada, &game), 20);
        assert_eq!(app.admin().all(&format!("/v1/games/{game}/ledger")).len(), 2);
    }

    fn an_event_that_always_fails_is_passed_over(app) {
        fn failing(_: &mut Conn, _: &Ctx, log: &[Event]) -> AppResult<()> {
            if log.iter().any(|event| event.kind == "enrollment.created") { Err(AppError::internal("never")) } else { Ok(()) }
        }
        let course = course(app);
        app.user("ada").enroll(&course);
        let consumer = Consumer { name: "test", handle: failing };
        let mut failures = 0;
        for _ in 0..200 {
            failures += usize::from(dispatch::step(&app.state, &consumer).is_err());
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        assert_eq!(failures, 4);
        while dispatch::step(&app.state, &consumer).unwrap() > 0 {}
    }

    fn instructors_correct_and_take_back(app) {
        let course = course(app);
        let game = game(app, json!({}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.open(&e, "a").expect(200);
        app.dispatch();
        let teacher = app.staff("instructor");
        let path = format!("/v1/games/{game}/ledger");
        teacher.post(&path, json!({"user_id": ada.id(), "points": -25, "reason": "Counted twice."})).expect(201);
        assert_eq!(points(&ada, &game), -15);
        let first = ada.all(&path)[0]["id"].clone();
        teacher.post(&path, json!({"corrects_id": first, "reason": "Not done."})).expect(201);
        assert_eq!(points(&ada, &game), -25);
        teacher.post(&path, json!({"corrects_id": first, "reason": "Again."})).problem(409, "wrong_state");
        ada.post(&path, json!({"user_id": ada.id(), "points": 100, "reason": "Please."})).problem(403, "forbidden");
        assert_eq!(teacher.post(&path, json!({"points": 0, "reason": ""})).faults(), ["/points", "/reason", "/user_id"]);
        audit(app, &game);
    }

    fn a_closed_game_never_changes(app) {
        let course = course(app);
        let badge_game = game(app, json!({}));
        let gold = app.admin().post(&format!("/v1/games/{badge_game}/badges"), json!({"title": "Winner"})).expect(201).id();
        app.admin().patch(&format!("/v1/games/{badge_game}"), json!({"prizes": [{"title": "Gold", "from": 1, "to": 1, "badge_id": gold}]})).expect(200);
        let (ada, bob) = (app.user("ada"), app.user("bob"));
        let (ea, eb) = (ada.enroll(&course), bob.enroll(&course));
        ada.open(&ea, "a").expect(200);
        bob.open(&eb, "a").expect(200);
        ada.open(&ea, "b").expect(200);
        // Not dispatched yet, but it happened: closing counts it.
        let report = close(app, &badge_game).expect(200);
        assert_eq!(report["players"][0]["points"], 20);
        assert_eq!(report["prizes"][0]["user_id"], ada.id());
        let before = standings(app, &badge_game);
        bob.open(&eb, "b").expect(200);
        app.dispatch();
        app.admin().post(&format!("/v1/games/{badge_game}/ledger"), json!({"user_id": bob.id(), "points": 99, "reason": "Late."})).problem(409, "wrong_state");
        app.admin().post(&format!("/v1/games/{badge_game}/replay"), json!({})).problem(409, "wrong_state");
        close(app, &badge_game).problem(409, "wrong_state");
        assert_eq!(standings(app, &badge_game), before);
        assert_eq!(ada.all(&format!("/v1/users/{}/badges", ada.id())).len(), 1);
        // Who hides after the end leaves the board at once; nobody moves up.
        ada.put("/v1/me/game-preferences", json!({"display": "hidden"})).expect(200);
        let board = bob.get(&format!("/v1/games/{badge_game}/leaderboard")).expect(200);
        assert_eq!((board["items"].as_array().unwrap().len(), board["items"][0]["rank"].as_i64()), (1, Some(2)));
        assert_eq!(board["frozen"], true);
    }

    fn a_game_ends_by_itself(app) {
        let ends = app.state.clock.now() + chrono::TimeDelta::hours(1);
        let game = game(app, json!({"ends_at": ends}));
        let course = course(app);
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.open(&e, "a").expect(200);
        app.advance(3700);
        ada.open(&e, "b").expect(200);
        app.dispatch();
        while app.admin().get(&format!("/v1/games/{game}")).expect(200)["status"] == "open" {
            app.work();
            app.advance(2);
        }
        assert_eq!(points(&ada, &game), 10);
        assert_eq!(app.admin().get(&format!("/v1/games/{game}")).expect(200)["status"], "closed");
    }

    fn a_replay_says_who_gains_and_loses_before_it_books_anything(app) {
        let course = course(app);
        let game = game(app, json!({"point_rules": [{"key": "m", "event": "module.completed", "points": 10}]}));
        let (ada, bob) = (app.user("ada"), app.user("bob"));
        let (ea, eb) = (ada.enroll(&course), bob.enroll(&course));
        for module in ["a", "b"] {
            ada.open(&ea, module).expect(200);
        }
        bob.open(&eb, "a").expect(200);
        app.dispatch();
        app.admin().post(&format!("/v1/games/{game}/ledger"), json!({"user_id": bob.id(), "points": 3, "reason": "Kindness."})).expect(201);
        let path = format!("/v1/games/{game}/replay");
        let once = json!({"point_rules": [{"key": "m", "event": "module.completed", "points": 12, "repeat": "once"}]});
        let preview = app.admin().post(&format!("{path}?dry_run=true"), once.clone()).expect(200);
        assert_eq!((preview["gain"].as_i64(), preview["lose"].as_i64(), preview["points_change"].as_i64()), (Some(1), Some(1), Some(-6)));
        assert_eq!((preview["items"][0]["user_id"].as_str(), preview["items"][0]["change"].as_i64()), (Some(ada.id()), Some(-8)));
        assert_eq!(points(&ada, &game), 20);
        app.admin().post(&path, once.clone()).problem(422, "validation_failed");
        app.admin().patch(&format!("/v1/games/{game}"), once).expect(200);
        assert_eq!(points(&ada, &game), 20);
        app.admin().post(&path, json!({})).expect(200);
        assert_eq!((points(&ada, &game), points(&bob, &game)), (12, 15));
        audit(app, &game);
        // Nothing is left to do, and the rule remembers what it gave.
        assert_eq!(app.admin().post(&path, json!({})).expect(200)["items"], json!([]));
        bob.open(&eb, "b").expect(200);
        app.dispatch();
        assert_eq!(points(&bob, &game), 15);
    }

    fn what_a_revoked_certificate_gave_is_treated_by_policy(app) {
        let course = course(app);
        let make = |policy: &str| game(app, json!({"revocation": policy, "point_rules": [{"event": "certificate.issued", "points": 100}]}));
        let (keep, revoke, review) = (make("keep"), make("revoke"), make("review"));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.open(&e, "a").expect(200);
        ada.open(&e, "b").expect(200);
        ada.attempt(&e, "check", &right());
        app.dispatch();
        let certificate = ada.all("/v1/certificates")[0]["id"].as_str().unwrap().to_owned();
        app.admin().post(&format!("/v1/certificates/{certificate}/revoke"), json!({"reason": "Copied."})).expect(200);
        app.dispatch();
        assert_eq!([&keep, &revoke, &review].map(|g| points(&ada, g)), [100, 0, 100]);
        let flags = app.admin().all(&format!("/v1/games/{review}/flags?state=open"));
        assert_eq!((flags.len(), flags[0]["kind"].as_str()), (1, Some("cause_corrected")));
        let flag = flags[0]["id"].as_str().unwrap();
        app.admin().post(&format!("/v1/games/{review}/flags/{flag}/resolve"), json!({"resolution": "confirmed"})).expect(200);
        assert_eq!(points(&ada, &review), 0);
        // A replay does not give it again.
        app.admin().post(&format!("/v1/games/{revoke}/replay"), json!({})).expect(200);
        assert_eq!(points(&ada, &revoke), 0);
    }

    fn earning_too_fast_is_flagged(app) {
        let course = course(app);
        let game = game(app, json!({"guard": {"max_points_per_hour": 15}}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.open(&e, "a").expect(200);
        app.dispatch();
        assert!(app.admin().all(&format!("/v1/games/{game}/flags")).is_empty());
        ada.open(&e, "b").expect(200);
        app.dispatch();
        let flags = app.admin().all(&format!("/v1/games/{game}/flags"));
        assert_eq!((flags.len(), flags[0]["kind"].as_str()), (1, Some("too_many_points")));
        assert!(ada.get(&format!("/v1/games/{game}")).expect(200)["guard"].is_null());
        ada.get(&format!("/v1/games/{game}/flags")).problem(403, "forbidden");
    }

    fn every_fault_of_a_game_is_named(app) {
        let faults = app.admin().post("/v1/games", json!({
            "title": " ", "scope": {"kind": "course", "id": uuid::Uuid::nil()},
            "point_rules": [{"event": "nonsense", "points": 0}], "levels": [{"name": "a", "points": 5}, {"name": "a", "points": 1}]
        })).faults();
        assert_eq!(faults, ["/title"]);
        let faults = app.admin().post("/v1/games", json!({
            "title": "x", "point_rules": [{"event": "nonsense", "points": 0}, {"event": "quiz.passed", "points": 1, "where": {"course": {"id": uuid::Uuid::nil(), "is": "completed"}}}],
            "levels": [{"name": "a", "points": 5}, {"name": "a", "points": 1}]
        })).faults();
        assert_eq!(faults, ["/levels/1/name", "/levels/1/points", "/point_rules/0/event", "/point_rules/0/points", "/point_rules/1/where"]);
        app.user("ada").post("/v1/games", json!({"title": "Mine"})).problem(403, "forbidden");
        app.machine(&["games:read"]).post("/v1/games", json!({"title": "Mine"})).problem(403, "forbidden");
        let machine = app.machine(&["games:write", "games:read"]);
        let game = machine.post("/v1/games", json!({"title": "Ours"})).expect(201).id();
        let tag = machine.get(&format!("/v1/games/{game}")).expect(200).header("etag").unwrap().to_owned();
        machine.patch(&format!("/v1/games/{game}"), json!({"title": "Theirs"})).expect(200);
        machine.call("PATCH", &format!("/v1/games/{game}"), Some(json!({"title": "Late"})), &[("if-match", &tag)]).problem(412, "precondition_failed");
        machine.delete(&format!("/v1/games/{game}")).expect(204);
        machine.get(&format!("/v1/games/{game}")).problem(404, "not_found");
    }

    fn numbers_keep_the_bounds_of_the_document(app) {
        let leagues = json!({"period": "week", "tiers": ["A"], "group_size": 10, "promote": u32::MAX, "relegate": 0});
        let bad = json!({"title": "x", "team_score": {"top_k": 0}, "leagues": leagues, "levels": [{"name": "a", "points": 1_000_000_001}], "season_days": 3661});
        assert_eq!(app.admin().post("/v1/games", bad.clone()).faults(), ["/leagues/promote", "/levels/0/points", "/season_days", "/team_score/top_k"]);
        // What no number of its type can be is named by the document, with all that the document says.
        let mut worse = bad;
        worse["team_size_limit"] = json!(i64::from(i32::MAX) + 1);
        assert_eq!(app.admin().post("/v1/games", worse).faults(), ["/leagues/promote", "/levels/0/points", "/season_days", "/team_score/top_k", "/team_size_limit"]);
        let game = game(app, json!({"team_score": {"top_k": 1000}, "team_size_limit": i32::MAX}));
        assert_eq!(app.admin().patch(&format!("/v1/games/{game}"), json!({"team_size_limit": u32::MAX})).faults(), ["/team_size_limit"]);
        let huge = |at: &str, leaf: Value| {
            let outline = json!({"stages": [{"kind": "sequence", "key": "s", "order": "linear", "modules": [
                {"key": "a", "kind": "article", "title": "A", "content": {}, "estimated_seconds": u64::MAX, "when": leaf}]}]});
            let course = app.admin().post("/v1/courses", json!({"title": "T", "style": "dynamic_branching"})).expect(201).id();
            let faults = app.admin().put(&format!("/v1/courses/{course}/outline"), outline).faults();
            assert_eq!(faults, ["/stages/0/modules/0/estimated_seconds".to_owned(), format!("/stages/0/modules/0/when/{at}")]);
        };
        huge("elapsed/at_least_seconds", json!({"elapsed": {"since": "enrolled", "at_least_seconds": u64::MAX}}));
        huge("inactive/days", json!({"inactive": {"days": u32::MAX}}));
        huge("attempts/at_least", json!({"attempts": {"module": "a", "at_least": u32::MAX}}));
    }

    fn the_document_lists_the_events_that_games_take(app) {
        let document: Value = serde_json::from_str(cairn::http::openapi::text()).unwrap();
        let named = |schema: &str| document["components"]["schemas"][schema]["enum"].as_array().unwrap().clone();
        let rules: Vec<Value> = named("PointEvent").iter().map(|event| json!({"event": event, "points": 1})).collect();
        let game = game(app, json!({"point_rules": rules}));
        for event in named("BadgeEvent") {
            app.admin().post(&format!("/v1/games/{game}/badges"), json!({"title": "B", "award_on": event})).expect(201);
        }
        let rule = |event: &str| json!({"title": "x", "point_rules": [{"event": event, "points": 1}]});
        for event in ["module.finished", "level.reached", "course.published"] {
            assert_eq!(app.admin().post("/v1/games", rule(event)).faults(), ["/point_rules/0/event"], "{event}");
        }
        let badge = json!({"title": "B", "award_on": "course.published"});
        assert_eq!(app.admin().post(&format!("/v1/games/{game}/badges"), badge).faults(), ["/award_on"]);
    }

    fn levels_and_points_open_modules(app) {
        let game = game(app, json!({"levels": [{"name": "One", "points": 10}]}));
        let first = course(app);
        let mut gated = article("gated");
        gated["when"] = json!({"all": [{"points": {"game": game, "at_least": 10}}, {"level": {"game": game, "at_least": 1}}]});
        let second = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![article("free"), gated])]}));
        let ada = app.user("ada");
        let (e1, e2) = (ada.enroll(&first), ada.enroll(&second));
        assert_eq!(ada.states(&e2)["gated"], "locked");
        ada.open(&e1, "a").expect(200);
        app.dispatch();
        ada.open(&e2, "free").expect(200);
        assert_ne!(ada.states(&e2)["gated"], "locked");
        let mut ghost = article("x");
        ghost["when"] = json!({"badge": {"id": uuid::Uuid::nil()}});
        let unknown = json!({"stages": [sequence("s", "linear", vec![ghost])]});
        let draft = app.admin().post("/v1/courses", json!({"title": "Draft", "style": "linear_autoplay"})).expect(201).id();
        app.admin().put(&format!("/v1/courses/{draft}/outline"), unknown).ok();
        let lint = app.admin().post(&format!("/v1/courses/{draft}/lint"), json!({})).expect(200);
        assert!(lint["errors"].as_array().unwrap().iter().any(|e| e["code"] == "unknown_badge"), "{}", lint.text());
    }
}
