//! Who did what as whom.

use crate::support::app::ADMIN;
use crate::support::json;

both! {
    fn the_log_is_filtered_paged_and_for_admins(app) {
        let ada = app.user("ada");
        let path = format!("/v1/users/{}", ada.id());
        app.admin().patch(&path, json!({"roles": ["author"]})).expect(200);
        app.admin().patch(&path, json!({"state": "suspended"})).expect(200);
        let actions = |query: &str| -> Vec<String> {
            app.admin().all(&format!("/v1/audit?{query}")).iter().map(|e| e["action"].as_str().unwrap().to_owned()).collect()
        };
        let about = format!("user_id={}", ada.id());
        let all = actions(&about);
        assert_eq!(all, ["user.state_changed", "user.updated", "user.roles_changed", "user.updated", "user.created"]
            .map(str::to_owned), "newest first");
        assert_eq!(actions(&format!("{about}&limit=2")), all, "pages join without a gap");
        assert_eq!(actions(&format!("{about}&action=user.roles_changed&actor={}", app.admin().id())), ["user.roles_changed"]);
        assert!(actions(&format!("{about}&actor={}", ada.id())).is_empty());
        let now = app.state.clock.now();
        let at = |seconds: i64| (now + chrono::TimeDelta::seconds(seconds)).to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        assert_eq!(actions(&format!("{about}&from={}&until={}", at(-3600), at(1))), all);
        assert!(actions(&format!("{about}&from={}", at(1))).is_empty());
        assert!(actions(&format!("{about}&until={}", at(-3600))).is_empty());
        for who in [app.staff("instructor"), app.staff("manager"), app.machine(&["users:read", "reports:read"])] {
            who.get("/v1/audit").problem(403, "forbidden");
        }
        app.admin().get("/v1/audit?actor=me&x=1").problem(422, "validation_failed");
    }

    fn log_ins_and_tokens_stand_in_it(app) {
        app.anyone().login(ADMIN.0, ADMIN.1);
        app.anyone().post("/v1/sessions", json!({"email": ADMIN.0, "password": "wrong"})).expect(401);
        app.anyone().post("/v1/sessions", json!({"email": "nobody@example.org", "password": "wrong"})).expect(401);
        app.machine(&["users:read"]);
        let count = |action: &str| app.admin().all(&format!("/v1/audit?action={action}")).len();
        assert!(count("session.created") >= 1);
        assert_eq!(count("session.failed"), 2);
        assert_eq!(count("client.token_issued"), 1);
        let failed = &app.admin().all("/v1/audit?action=session.failed")[0];
        assert_eq!(failed["data"]["address"], "127.0.0.1");
        assert!(!failed.to_string().contains("nobody@"), "what was typed may be a password");
    }

    fn it_is_exported_whole(app) {
        let learners = crate::support::factory::learners(app, 3);
        for (n, learner) in learners.iter().enumerate() {
            for _ in 0..n + 1 {
                learner.patch("/v1/me", json!({"locale": "fr"})).expect(200);
            }
        }
        let export = |accept: &str| app.admin().call("GET", "/v1/audit?action=user.updated", None, &[("accept", accept)]).expect(200);
        let lines = export("application/x-ndjson");
        assert_eq!(lines.text().lines().count(), 6);
        assert!(lines.text().lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
        let table = export("text/csv");
        assert!(table.header("content-type").unwrap().starts_with("text/csv"));
        assert_eq!(table.text().lines().count(), 7);
        assert!(table.text().starts_with("id,at,action,"));
        app.user("eve").call("GET", "/v1/audit", None, &[("accept", "text/csv")]).problem(403, "forbidden");
    }
}
