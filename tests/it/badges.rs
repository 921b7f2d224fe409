//! Badges: by criteria, by event, by hand; revoked by hand and by policy; images.

use crate::games::{course, game};
use crate::support::factory::right;
use crate::support::{Client, TestApp, Value, json};

fn badge(app: &TestApp, game: &str, fields: Value) -> String {
    let mut body = json!({"title": "Badge"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    app.admin().post(&format!("/v1/games/{game}/badges"), body).expect(201).id()
}

fn held(who: &Client) -> Vec<String> {
    let mut all: Vec<String> = who
        .all(&format!("/v1/users/{}/badges", who.id()))
        .iter()
        .map(|a| a["badge_id"].as_str().unwrap().to_owned())
        .collect();
    all.sort_unstable();
    all
}

both! {
    fn badges_come_by_criteria_event_and_hand(app) {
        let course = course(app);
        let game = game(app, json!({"point_rules": [{"key": "m", "event": "module.completed", "points": 10}], "levels": [{"name": "Pro", "points": 20}]}));
        let twenty = badge(app, &game, json!({"criteria": {"level": "Pro", "rules": [{"rule": "m", "times": 2}]}}));
        let both = badge(app, &game, json!({"criteria": {"badges": [twenty]}}));
        let ace = badge(app, &game, json!({"award_on": "quiz.passed", "award_where": {"score": {"module": "check", "at_least": 90}}}));
        let kind = badge(app, &game, json!({"title": "Kind"}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.open(&e, "a").expect(200);
        app.dispatch();
        assert!(held(&ada).is_empty());
        ada.open(&e, "b").expect(200);
        app.dispatch();
        let mut wanted = vec![twenty.clone(), both.clone()];
        wanted.sort_unstable();
        assert_eq!(held(&ada), wanted);
        ada.attempt(&e, "check", &right());
        app.dispatch();
        let award = |who: &Client| who.post(&format!("/v1/badges/{kind}/awards"), json!({"user_id": ada.id(), "reason": "Helped."}));
        let given = award(&app.staff("instructor")).expect(200);
        assert_eq!(award(app.admin()).expect(200).id(), given.id());
        award(&ada).problem(403, "forbidden");
        let mut all = vec![twenty, both, ace, kind.clone()];
        all.sort_unstable();
        assert_eq!(held(&ada), all);
        app.user("bob").get(&format!("/v1/users/{}/badges", ada.id())).problem(404, "not_found");
        let path = format!("/v1/badges/{kind}/awards/{}/revoke", given.id());
        assert_eq!(app.admin().post(&path, json!({"reason": "By mistake."})).expect(200)["state"], "revoked");
        app.admin().post(&path, json!({"reason": "By mistake."})).problem(409, "wrong_state");
        assert_eq!(held(&ada).len(), 3);
        app.admin().delete(&format!("/v1/badges/{kind}")).problem(409, "wrong_state");
    }

    fn lost_criteria_follow_the_policy_of_the_badge(app) {
        let game = game(app, json!({}));
        let make = |policy: &str| badge(app, &game, json!({"criteria": {"points": 10}, "revocation": policy}));
        let (keep, revoke, review) = (make("keep"), make("revoke"), make("review"));
        let ada = app.user("ada");
        let give = |points: i64| app.admin().post(&format!("/v1/games/{game}/ledger"), json!({"user_id": ada.id(), "points": points, "reason": "Test."})).expect(201);
        give(10);
        assert_eq!(held(&ada).len(), 3);
        give(-5);
        let now = held(&ada);
        assert!(now.contains(&keep) && now.contains(&review) && !now.contains(&revoke), "{now:?}");
        let flag = app.admin().all(&format!("/v1/games/{game}/flags?state=open"))[0]["id"].as_str().unwrap().to_owned();
        app.admin().post(&format!("/v1/games/{game}/flags/{flag}/resolve"), json!({"resolution": "dismissed"})).expect(200);
        assert!(held(&ada).contains(&review));
        // Earned again, it comes back.
        give(5);
        assert_eq!(held(&ada).len(), 3);
    }

    fn a_badge_has_an_image(app) {
        let game = game(app, json!({}));
        let id = badge(app, &game, json!({"title": "<Ten>", "design": {"shape": "shield", "symbol": "text", "text": "10", "color": "#0f766e"}}));
        let path = app.admin().get(&format!("/v1/badges/{id}")).expect(200)["image_url"].as_str().unwrap().to_owned();
        let image = app.anyone().get(&path).expect(200);
        assert_eq!(image.header("content-type"), Some("image/svg+xml"));
        let text = String::from_utf8(image.body.clone()).unwrap();
        assert!(text.starts_with("<svg ") && text.contains("&lt;Ten&gt;") && text.contains("#0f766e"));
        let tag = image.header("etag").unwrap().to_owned();
        app.anyone().call("GET", &path, None, &[("if-none-match", &tag)]).expect(304);
        let wrong = app.admin().post(&format!("/v1/games/{game}/badges"), json!({"title": "x", "design": {"color": "red"}, "criteria": {"level": "None"}, "award_where": {"date": {}}}));
        assert_eq!(wrong.faults(), ["/award_where", "/criteria/level", "/design/color"]);
        app.anyone().get(&format!("/v1/badges/{}/image.svg", uuid::Uuid::nil())).problem(404, "not_found");
    }
}
