//! Games: whom those who run one for a unit or a course can reach, who leaves, who hides, and whose points a manager sees.

use crate::games::{course, game};
use crate::support::factory::{learners, unique};
use crate::support::{Client, TestApp, Value, json};

/// A unit with these people.
fn unit(app: &TestApp, people: &[&Client]) -> String {
    let unit = app.admin().post("/v1/groups", json!({"name": unique("Unit "), "kind": "unit"})).expect(201).id();
    for who in people {
        app.admin().put(&format!("/v1/groups/{unit}/members/{}", who.id()), json!({})).expect(204);
    }
    unit
}

/// Somebody with a role over the people of a unit.
fn over(app: &TestApp, unit: &str, role: &str) -> Client {
    let boss = app.user("boss");
    let grant = json!({"role": role, "scope": {"kind": "unit", "id": unit}});
    app.admin().post(&format!("/v1/users/{}/roles", boss.id()), grant).expect(201);
    boss
}

struct Run {
    game: String,
    team: String,
    badge: String,
}

/// A game of teams that somebody runs, with a team and a badge.
fn run(boss: &Client, scope: Value) -> Run {
    let game = boss.post("/v1/games", json!({"title": "Game", "mode": "teams", "scope": scope})).expect(201).id();
    let team = boss.post(&format!("/v1/games/{game}/teams"), json!({"name": "Red"})).expect(201).id();
    let badge = boss.post(&format!("/v1/games/{game}/badges"), json!({"title": "Kind"})).expect(201).id();
    Run { game, team, badge }
}

impl Run {
    /// Nobody can be drawn into the game who looks like nobody to whoever runs it.
    #[track_caller]
    fn refuses(&self, boss: &Client, who: &str) {
        let Self { game, team, badge } = self;
        let points = json!({"user_id": who, "points": 1, "reason": "x"});
        assert_eq!(boss.post(&format!("/v1/games/{game}/ledger"), points).faults(), ["/user_id"], "{who}");
        let award = json!({"user_id": who});
        assert_eq!(boss.post(&format!("/v1/badges/{badge}/awards"), award).faults(), ["/user_id"], "{who}");
        let draw = json!({"teams": 1, "user_ids": [who]});
        assert_eq!(boss.post(&format!("/v1/games/{game}/teams/draw"), draw).faults(), ["/user_ids/0"], "{who}");
        let draw = json!({"teams": 1, "balance": "points", "strengths": {who: 4}});
        let at = format!("/strengths/{who}");
        assert_eq!(boss.post(&format!("/v1/games/{game}/teams/draw"), draw).faults(), [at], "{who}");
        let member = format!("/v1/games/{game}/teams/{team}/members/{who}");
        boss.put(&member, json!({})).problem(404, "not_found");
        let gone = boss.delete(&member).problem(404, "not_found");
        assert!(gone["detail"].as_str().unwrap().contains("member"), "{}", gone["detail"]);
    }

    #[track_caller]
    fn takes(&self, boss: &Client, who: &str) {
        let Self { game, team, badge } = self;
        let points = json!({"user_id": who, "points": 1, "reason": "x"});
        boss.post(&format!("/v1/games/{game}/ledger"), points).expect(201);
        boss.post(&format!("/v1/badges/{badge}/awards"), json!({"user_id": who})).expect(200);
        boss.post(&format!("/v1/games/{game}/teams/draw"), json!({"teams": 1, "user_ids": [who]})).expect(200);
        boss.put(&format!("/v1/games/{game}/teams/{team}/members/{who}"), json!({})).expect(200);
    }
}

fn users_of(entries: &[Value]) -> Vec<String> {
    let mut users: Vec<String> = entries.iter().map(|entry| entry["user_id"].as_str().unwrap().to_owned()).collect();
    users.sort_unstable();
    users.dedup();
    users
}

fn sorted(people: &[&Client]) -> Vec<String> {
    let mut ids: Vec<String> = people.iter().map(|who| who.id().to_owned()).collect();
    ids.sort_unstable();
    ids
}

both! {
    fn whoever_runs_a_game_of_a_unit_reaches_its_people(app) {
        let name = unique("hr-");
        let (ada, bob) = (app.user("ada"), app.user_with("bob", json!({"external_id": name})));
        let (here, _there) = (unit(app, &[&ada]), unit(app, &[&bob]));
        let boss = over(app, &here, "admin");
        boss.get(&format!("/v1/users/ext:{name}")).problem(404, "not_found");
        let run = run(&boss, json!({"kind": "group", "id": here}));
        for who in [bob.id(), &format!("ext:{name}"), &uuid::Uuid::nil().to_string(), "ext:nobody"] {
            run.refuses(&boss, who);
        }
        let board = boss.get(&format!("/v1/games/{}/leaderboard", run.game)).expect(200);
        assert_eq!(board["items"], json!([]));
        run.takes(&boss, ada.id());
        // Of an entry it is not told either whose it is not.
        let entry = boss.all(&format!("/v1/games/{}/ledger", run.game))[0]["id"].clone();
        let correct = json!({"corrects_id": entry, "user_id": format!("ext:{name}"), "reason": "x"});
        let refused = boss.post(&format!("/v1/games/{}/ledger", run.game), correct).problem(422, "validation_failed");
        assert_eq!(refused["errors"][0]["code"], "unknown_user");
        // An admin of the site reaches everybody, and whoever plays is no stranger any more.
        run.takes(app.admin(), &format!("ext:{name}"));
        run.takes(&boss, bob.id());
    }

    fn whoever_teaches_a_course_reaches_its_learners(app) {
        let (ada, bob, teacher) = (app.user("ada"), app.user("bob"), app.user("teacher"));
        let course = course(app);
        ada.enroll(&course);
        app.admin().put(&format!("/v1/courses/{course}/staff/{}", teacher.id()), json!({"role": "instructor"})).ok();
        let run = run(&teacher, json!({"kind": "course", "id": course}));
        run.refuses(&teacher, bob.id());
        run.takes(&teacher, ada.id());
        run.takes(&app.staff("instructor"), bob.id());
    }

    fn whoever_left_plays_no_more(app) {
        let run = run(app.admin(), json!({"kind": "site"}));
        let people = learners(app, 3);
        for who in &people {
            let points = json!({"user_id": who.id(), "points": 1, "reason": "x"});
            app.admin().post(&format!("/v1/games/{}/ledger", run.game), points).expect(201);
        }
        let gone = people[0].id();
        app.admin().patch(&format!("/v1/users/{gone}"), json!({"state": "left"})).expect(200);
        app.admin().put(&format!("/v1/games/{}/teams/{}/members/{gone}", run.game, run.team), json!({})).problem(409, "wrong_state");
        assert_eq!(app.admin().post(&format!("/v1/badges/{}/awards", run.badge), json!({"user_id": gone})).faults(), ["/user_id"]);
        let draw = |body: Value| app.admin().post(&format!("/v1/games/{}/teams/draw", run.game), body);
        assert_eq!(draw(json!({"teams": 1, "user_ids": [people[1].id(), gone]})).faults(), ["/user_ids/1"]);
        assert_eq!(draw(json!({"teams": 1})).expect(200)["players"], 2);
    }

    fn who_hides_is_hidden_everywhere(app) {
        let game = game(app, json!({"mode": "teams", "leagues": {"period": "week", "tiers": ["Bronze"], "group_size": 9, "promote": 0, "relegate": 0}}));
        let team = app.admin().post(&format!("/v1/games/{game}/teams"), json!({"name": "Red"})).expect(201).id();
        let people = learners(app, 3);
        for (n, who) in people.iter().enumerate() {
            app.admin().put(&format!("/v1/games/{game}/teams/{team}/members/{}", who.id()), json!({})).expect(200);
            let points = json!({"user_id": who.id(), "points": 10 - n, "reason": "x"});
            app.admin().post(&format!("/v1/games/{game}/ledger"), points).expect(201);
        }
        app.admin().post(&format!("/v1/games/{game}/leagues/draw"), json!({})).expect(200);
        people[1].put("/v1/me/game-preferences", json!({"display": "hidden"})).expect(200);
        let ranks = |who: &Client| -> Vec<i64> {
            let league = who.get(&format!("/v1/games/{game}/leagues?group=0")).expect(200);
            league["items"].as_array().unwrap().iter().map(|item| item["rank"].as_i64().unwrap()).collect()
        };
        assert_eq!((ranks(&people[0]), ranks(&people[1]), ranks(app.admin())), (vec![1, 3], vec![1, 2, 3], vec![1, 2, 3]));
        let members = |who: &Client| who.all(&format!("/v1/games/{game}/teams/{team}/members")).len();
        assert_eq!((members(&people[0]), members(&people[1]), members(app.admin())), (2, 3, 3));
        assert!(!people[0].get(&format!("/v1/games/{game}/leagues")).expect(200).text().contains(people[1].id()));
    }

    fn managers_see_the_points_of_those_below(app) {
        let (boss, eve) = (app.user("boss"), app.user("eve"));
        let bob = app.user_with("bob", json!({"manager_id": boss.id()}));
        let cat = app.user_with("cat", json!({"manager_id": bob.id()}));
        let teacher = over(app, &unit(app, &[&eve]), "instructor");
        let game = game(app, json!({}));
        for who in [&boss, &bob, &cat, &eve] {
            let points = json!({"user_id": who.id(), "points": 1, "reason": "x"});
            app.admin().post(&format!("/v1/games/{game}/ledger"), points).expect(201);
        }
        let path = format!("/v1/games/{game}/ledger");
        assert_eq!(users_of(&boss.all(&path)), sorted(&[&boss, &bob, &cat]));
        assert_eq!(users_of(&bob.all(&path)), sorted(&[&bob, &cat]));
        assert_eq!(users_of(&cat.all(&path)), sorted(&[&cat]));
        assert_eq!(users_of(&teacher.all(&path)), sorted(&[&eve]));
        assert_eq!(boss.all(&format!("{path}?user_id={}", bob.id())).len(), 1);
        bob.get(&format!("{path}?user_id={}", boss.id())).problem(403, "forbidden");
    }
}
