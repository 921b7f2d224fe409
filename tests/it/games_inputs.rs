//! Games: what is refused in their settings, and how people, courses and groups are named.

use crate::games::{close, course, game};
use crate::support::factory::{article, learners, quiz, sequence, unique};
use crate::support::{TestApp, Value, json};

fn faults(app: &TestApp, fields: Value) -> Vec<String> {
    let mut body = json!({"title": "Game"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    app.admin().post("/v1/games", body).faults()
}

both! {
    fn events_that_nobody_does_earn_nothing(app) {
        for event in ["module.complete", "foo.bar", "quiz.submitted", "course.updated", ""] {
            assert_eq!(faults(app, json!({"point_rules": [{"event": event, "points": 1}]})), ["/point_rules/0/event"], "{event}");
        }
        let refused = app.admin().post("/v1/games", json!({"title": "x", "point_rules": [{"event": "foo.bar", "points": 1}]}));
        let refused = refused.problem(422, "validation_failed");
        assert!(refused["errors"][0]["detail"].as_str().unwrap().contains("module.completed"));
        let game = game(app, json!({}));
        let badges = format!("/v1/games/{game}/badges");
        assert_eq!(app.admin().post(&badges, json!({"title": "B", "award_on": "quiz.submitted"})).faults(), ["/award_on"]);
        let badge = app.admin().post(&badges, json!({"title": "B", "award_on": "level.reached"})).expect(201).id();
        assert_eq!(app.admin().patch(&format!("/v1/badges/{badge}"), json!({"award_on": "foo.bar"})).faults(), ["/award_on"]);
        let rules = json!([{"event": "module.complete", "points": 1}]);
        assert_eq!(app.admin().patch(&format!("/v1/games/{game}"), json!({"point_rules": rules})).faults(), ["/point_rules/0/event"]);
        assert_eq!(app.admin().post(&format!("/v1/games/{game}/replay?dry_run=true"), json!({"point_rules": rules})).faults(), ["/point_rules/0/event"]);
    }

    fn outside_ids_name_people_courses_and_groups(app) {
        let (user, group, of) = (unique("hr-"), unique("org-"), unique("c-"));
        let ada = app.user_with("ada", json!({"external_id": user}));
        let outline = json!({"stages": [sequence("s", "linear", vec![article("a"), quiz("check", "hurdle", json!({"pass_percent": 50}))])]});
        let course = app.course_with(json!({"title": "C", "style": "linear_hurdles", "external_id": of}), &outline);
        let unit = app.admin().post("/v1/groups", json!({"name": "Acme", "kind": "unit", "external_id": group})).expect(201).id();
        ada.enroll(&course);
        app.admin().put(&format!("/v1/groups/{unit}/members/{}", ada.id()), json!({})).expect(204);
        let make = |kind: &str, id: &str| {
            app.admin().post("/v1/games", json!({"title": "x", "mode": "teams", "scope": {"kind": kind, "id": format!("ext:{id}")}})).expect(201)
        };
        let (in_course, in_unit) = (make("course", &of), make("group", &group));
        assert_eq!((&in_course["scope"]["id"], &in_unit["scope"]["id"]), (&json!(course), &json!(unit)));
        assert_eq!(faults(app, json!({"scope": {"kind": "course", "id": "ext:nothing"}, "levels": [{"name": "", "points": 0}]})), ["/levels/0/name", "/scope/id"]);
        assert_eq!(faults(app, json!({"scope": {"kind": "group", "id": "nonsense"}})), ["/scope/id"]);
        let list = |query: &str| app.admin().all(&format!("/v1/games?{query}")).iter().map(|game| game["id"].clone()).collect::<Vec<_>>();
        assert_eq!(list(&format!("course_id=ext:{of}")), [in_course["id"].clone()]);
        assert_eq!(list(&format!("group_id=ext:{group}")), [in_unit["id"].clone()]);
        assert!(list("course_id=ext:nothing").is_empty());
        let game = game(app, json!({"mode": "teams"}));
        let path = format!("/v1/games/{game}");
        app.admin().post(&format!("{path}/ledger"), json!({"user_id": ada.id(), "points": 1, "reason": "x"})).expect(201);
        app.admin().post(&format!("{path}/ledger"), json!({"user_id": app.user("bob").id(), "points": 1, "reason": "x"})).expect(201);
        assert_eq!(app.admin().all(&format!("{path}/ledger?user_id=ext:{user}")).len(), 1);
        assert!(app.admin().all(&format!("{path}/ledger?user_id=ext:nobody")).is_empty());
        for narrow in [format!("course_id=ext:{of}"), format!("group_id=ext:{group}")] {
            assert_eq!(app.admin().get(&format!("{path}/leaderboard?{narrow}")).expect(200)["total"], 1, "{narrow}");
        }
        assert_eq!(app.admin().get(&format!("{path}/leaderboard?course_id=ext:nothing")).faults(), ["?course_id"]);
        assert_eq!(app.admin().get(&format!("{path}/leaderboard?group_id=ext:nothing")).faults(), ["?group_id"]);
        ada.get(&format!("{path}/leaderboard?group_id=ext:nothing")).problem(404, "not_found");
        let name = format!("ext:{user}");
        let drawn = app.admin().post(&format!("{path}/teams/draw"), json!({"teams": 1, "balance": "points", "user_ids": [name], "strengths": {name.as_str(): 7}}));
        let drawn = drawn.expect(200);
        assert_eq!((&drawn["teams"][0]["user_ids"], &drawn["teams"][0]["points"]), (&json!([ada.id()]), &json!(7)));
    }

    fn nothing_is_ignored_silently(app) {
        let game = game(app, json!({"mode": "teams"}));
        let people = learners(app, 2);
        let draw = |body: Value| app.admin().post(&format!("/v1/games/{game}/teams/draw"), body);
        assert_eq!(draw(json!({"teams": 1, "user_ids": [people[0].id(), people[1].id(), people[0].id()]})).faults(), ["/user_ids/2"]);
        assert_eq!(draw(json!({"teams": 1, "balance": "size", "strengths": {people[0].id(): 5}})).faults(), ["/strengths"]);
        assert_eq!(draw(json!({"teams": 1, "strengths": {people[0].id(): 5}})).faults(), ["/strengths"]);
        let prizes = json!([{"title": "Gold", "from": 1, "to": 1}, {"title": "Cup", "view": "teams", "from": 1, "to": 1}]);
        assert_eq!(faults(app, json!({"prizes": prizes})), ["/prizes/1/view"]);
        app.admin().patch(&format!("/v1/games/{game}"), json!({"prizes": prizes})).expect(200);
        assert_eq!(app.admin().patch(&format!("/v1/games/{game}"), json!({"mode": "individual"})).faults(), ["/prizes/1/view"]);
        let leagues = json!({"period": "week", "tiers": ["Bronze", "Silver", "Bronze"], "group_size": 4, "promote": 1, "relegate": 1});
        assert_eq!(faults(app, json!({"leagues": leagues})), ["/leagues/tiers/2"]);
    }

    fn conditions_name_what_exists(app) {
        let course = course(app);
        let with = |only: Value| json!({"point_rules": [{"key": "k", "event": "module.completed", "points": 1, "where": only}]});
        let within = |only: Value| {
            let mut body = with(only);
            body["scope"] = json!({"kind": "course", "id": course});
            body
        };
        let (wrong, right) = (json!({"module": {"key": "no-such", "is": "completed"}}), json!({"module": {"key": "a", "is": "completed"}}));
        assert_eq!(faults(app, within(json!({"any": [wrong, right]}))), ["/point_rules/0/where"]);
        assert_eq!(faults(app, within(json!({"score": {"module": "no-such", "at_least": 50}}))), ["/point_rules/0/where"]);
        let of_course = game(app, within(right));
        let path = format!("/v1/games/{of_course}/badges");
        let badge = json!({"title": "B", "award_on": "quiz.passed", "award_where": {"score": {"module": "no-such", "at_least": 50}}});
        assert_eq!(app.admin().post(&path, badge).faults(), ["/award_where"]);
        // What only an older revision has is still learned by somebody.
        let outline = json!({"stages": [sequence("s", "linear", vec![article("a"), article("new"), quiz("check", "hurdle", json!({"pass_percent": 50}))])]});
        app.admin().put(&format!("/v1/courses/{course}/outline"), outline).expect(200);
        app.admin().post(&format!("/v1/courses/{course}/publish"), json!({})).expect(201);
        for key in ["b", "new"] {
            game(app, within(json!({"module": {"key": key, "is": "completed"}})));
        }
        // Of no course, a module may be of any.
        game(app, with(wrong));
        let levels = json!([{"name": "Novice", "points": 0}, {"name": "Pro", "points": 100}]);
        let tall = game(app, json!({"levels": levels}));
        let level = |at_least: u32| json!({"level": {"game": tall, "at_least": at_least}});
        assert_eq!(faults(app, with(level(9))), ["/point_rules/0/where"]);
        game(app, with(level(2)));
        app.admin().patch(&format!("/v1/games/{tall}"), with(level(2))).expect(200);
        assert_eq!(app.admin().patch(&format!("/v1/games/{tall}"), json!({"levels": [{"name": "Novice", "points": 0}]})).faults(), ["/point_rules/0/where"]);
    }

    fn badges_that_need_each_other_are_refused(app) {
        let game = game(app, json!({}));
        let make = |fields: Value| {
            let mut body = json!({"title": "B"});
            body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            app.admin().post(&format!("/v1/games/{game}/badges"), body).expect(201).id()
        };
        let first = make(json!({}));
        let second = make(json!({"criteria": {"badges": [first]}}));
        let third = make(json!({"criteria": {"points": 5, "badges": [second]}}));
        let change = |body: Value| app.admin().patch(&format!("/v1/badges/{first}"), body);
        assert_eq!(change(json!({"criteria": {"badges": [third]}})).faults(), ["/criteria/badges/0"]);
        // An event earns it besides, so all can be had.
        change(json!({"award_on": "quiz.passed", "criteria": {"badges": [third]}})).expect(200);
        assert_eq!(change(json!({"award_on": null})).faults(), ["/criteria/badges/0"]);
    }

    fn what_a_badge_asks_for_is_missed_where_it_was(app) {
        let game = game(app, json!({"levels": [{"name": "Pro", "points": 100}]}));
        let badges = format!("/v1/games/{game}/badges");
        app.admin().post(&badges, json!({"title": "B", "criteria": {"level": "Pro"}})).expect(201);
        let path = format!("/v1/games/{game}");
        assert_eq!(app.admin().patch(&path, json!({"levels": []})).faults(), ["/levels"]);
        app.admin().post(&badges, json!({"title": "C", "award_on": "module.completed", "award_where": {"level": {"game": game, "at_least": 1}}})).expect(201);
        assert_eq!(app.admin().patch(&path, json!({"levels": []})).faults(), ["/levels", "/levels"]);
    }

    fn how_players_are_shown_can_change(app) {
        let game = game(app, json!({}));
        let path = format!("/v1/games/{game}");
        let people = learners(app, 3);
        app.admin().patch(&path, json!({"display": "hidden"})).expect(200);
        app.admin().patch(&path, json!({"display": "named"})).expect(200);
        for who in &people {
            app.admin().post(&format!("{path}/ledger"), json!({"user_id": who.id(), "points": 1, "reason": "x"})).expect(201);
        }
        assert_eq!(app.admin().patch(&path, json!({"display": "pseudonym"})).expect(200)["display"], "pseudonym");
        let others = people[0].get(&format!("{path}/leaderboard")).expect(200);
        assert_eq!(others["items"].as_array().unwrap().iter().filter(|item| item["user"]["id"].is_null()).count(), 2);
        app.admin().patch(&path, json!({"display": "hidden"})).problem(409, "wrong_state");
        assert_eq!(app.admin().patch(&path, json!({"display": null})).faults(), ["/display"]);
        // A leaderboard is a page like every other.
        let first = app.admin().get(&format!("{path}/leaderboard?limit=2")).expect(200);
        let link = first.header("link").unwrap();
        let next = link.strip_prefix('<').unwrap().split('>').next().unwrap();
        let second = app.admin().get(next).expect(200);
        assert_eq!((second["items"].as_array().unwrap().len(), &second["next"], second.header("link")), (1, &Value::Null, None));
        let over = close(app, &game).expect(200);
        assert_eq!(over["player_count"], 3);
        let refused = app.admin().patch(&path, json!({"title": "x"})).problem(409, "wrong_state");
        assert_eq!((&refused["status"], &refused["game_status"]), (&json!(409), &json!("closed")));
    }
}
