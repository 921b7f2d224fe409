//! Log-in, machine clients, keys, and tokens that are not ours.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::support::app::ADMIN;
use crate::support::{TestApp, Value, json};

fn forge(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode(signature))
}

/// Header, claims and signature of a token.
fn parts(token: &str) -> (Value, Value, Vec<u8>) {
    let all: Vec<Vec<u8>> = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
    (serde_json::from_slice(&all[0]).unwrap(), serde_json::from_slice(&all[1]).unwrap(), all[2].clone())
}

fn refused(app: &TestApp, token: &str) {
    let answer = app.with_token(token).get("/v1/me").problem(401, "unauthenticated");
    assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
}

both! {
    fn a_session_is_begun_refreshed_and_ended(app) {
        let session = app.anyone().post("/v1/sessions", json!({"email": ADMIN.0.to_uppercase(), "password": ADMIN.1})).expect(201);
        assert_eq!((&session["token_type"], session.header("cache-control")), (&json!("Bearer"), Some("no-store")));
        let me = app.with_token(session["access_token"].as_str().unwrap());
        assert_eq!(me.get("/v1/me").expect(200)["email"], ADMIN.0);
        let refresh = |token: &str| app.anyone().post("/v1/sessions/refresh", json!({"refresh_token": token}));
        let first = session["refresh_token"].as_str().unwrap();
        let second = refresh(first).expect(200);
        me.delete("/v1/sessions/current").expect(204);
        me.get("/v1/me").problem(401, "unauthenticated");
        refresh(second["refresh_token"].as_str().unwrap()).expect(401);
    }

    fn a_refresh_token_used_twice_ends_its_family(app) {
        let session = app.anyone().post("/v1/sessions", json!({"email": ADMIN.0, "password": ADMIN.1})).expect(201);
        let refresh = |token: &Value| app.anyone().post("/v1/sessions/refresh", json!({"refresh_token": token}));
        let second = refresh(&session["refresh_token"]).expect(200);
        refresh(&session["refresh_token"]).expect(401);
        refresh(&second["refresh_token"]).expect(401);
        app.with_token(second["access_token"].as_str().unwrap()).get("/v1/me").problem(401, "unauthenticated");
    }

    fn a_wrong_password_and_an_unknown_account_look_the_same(app) {
        let log_in = |email: &str| app.anyone().post("/v1/sessions", json!({"email": email, "password": "not the password"})).problem(401, "invalid_credentials");
        let (known, unknown) = (log_in(ADMIN.0), log_in("nobody@example.org"));
        assert_eq!(known["detail"], unknown["detail"]);
    }

    fn what_a_token_may_do_changes_at_once(app) {
        let ada = app.user("ada");
        let this = format!("/v1/users/{}", ada.id());
        let sees_all = || ada.get("/v1/clients").status;
        assert_eq!((sees_all(), sees_all()), (403, 403));
        app.admin().patch(&this, json!({"roles": ["admin"]})).expect(200);
        assert_eq!((sees_all(), sees_all()), (200, 200));
        app.admin().patch(&this, json!({"roles": ["learner"]})).expect(200);
        assert_eq!(sees_all(), 403);
        let role = app.admin().post(&format!("{this}/roles"), json!({"role": "admin", "scope": {"kind": "site"}})).expect(201);
        assert_eq!(sees_all(), 200);
        app.admin().delete(&format!("{this}/roles/{}", role.id())).expect(204);
        assert_eq!(sees_all(), 403);
        app.admin().patch(&this, json!({"state": "suspended"})).expect(200);
        assert_eq!(sees_all(), 401);
        app.admin().patch(&this, json!({"state": "active"})).expect(200);
        let again = app.acting_as(ada.id());
        again.get("/v1/me").expect(200);
        let other = app.user("bob");
        other.delete("/v1/sessions/current").expect(204);
        assert_eq!(other.get("/v1/me").status, 401);
        again.get("/v1/me").expect(200);
        app.admin().patch(&this, json!({"state": "left"})).expect(200);
        assert_eq!(again.get("/v1/me").status, 401);
    }

    fn an_access_token_expires(app) {
        let me = app.anyone().login(ADMIN.0, ADMIN.1);
        app.advance(700);
        me.get("/v1/me").expect(200);
        app.advance(201);
        me.get("/v1/me").problem(401, "unauthenticated");
    }

    fn forged_tokens_are_refused(app) {
        let good = app.anyone().login(ADMIN.0, ADMIN.1).token.unwrap();
        let (header, claims, signature) = parts(&good);
        let with = |base: &Value, name: &str, value: Value| {
            let mut changed = base.clone();
            changed[name] = value;
            changed
        };
        refused(app, &forge(&with(&header, "alg", json!("none")), &claims, b""));
        refused(app, &forge(&with(&header, "alg", json!("NONE")), &claims, &signature));
        // HS256, signed with the public key as every verifier has it.
        let key = &app.anyone().get("/.well-known/jwks.json").expect(200)["keys"][0];
        let public = key["x"].as_str().unwrap();
        for secret in [public.as_bytes().to_vec(), URL_SAFE_NO_PAD.decode(public).unwrap()] {
            let header = jsonwebtoken::Header { typ: Some("at+jwt".into()), kid: header["kid"].as_str().map(str::to_owned), ..Default::default() };
            refused(app, &jsonwebtoken::encode(&header, &claims, &jsonwebtoken::EncodingKey::from_secret(&secret)).unwrap());
        }
        for (name, value) in [("kid", json!("../../etc/passwd")), ("kid", json!("' OR 1=1 --")), ("typ", json!("JWT"))] {
            refused(app, &forge(&with(&header, name, value), &claims, &signature));
        }
        for (name, value) in [("sub", json!("0199c0de-0000-7000-8000-000000000001")), ("exp", json!(4_000_000_000_i64)), ("aud", json!("other")), ("iss", json!("https://evil.example"))] {
            refused(app, &forge(&header, &with(&claims, name, value), &signature));
        }
        // A key of the attacker's in the header.
        let own = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(own.verifying_key().as_bytes())});
        for (name, value) in [("jwk", jwk), ("jku", json!("https://evil.example/jwks.json"))] {
            let header = with(&header, name, value);
            let text = forge(&header, &claims, b"");
            let signed = text.trim_end_matches('.');
            let signature = ed25519_dalek::Signer::sign(&own, signed.as_bytes());
            refused(app, &format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes())));
        }
        for nonsense in ["x", "a.b.c", "..", &"x".repeat(9000), &format!("{good}x"), &good[..good.len() - 2]] {
            refused(app, nonsense);
        }
        app.anyone().send("GET", "/v1/me", &[("authorization", "Basic eDp5")], None).problem(401, "unauthenticated");
        app.anyone().get("/v1/me").problem(401, "unauthenticated");
    }

    fn keys_are_rotated_without_logging_anyone_out(app) {
        let before = app.anyone().login(ADMIN.0, ADMIN.1);
        let now = app.state.clock.now();
        let kid = app.state.db.write_here(move |conn| cairn::auth::keys::rotate(conn, now)).unwrap();
        app.state.tokens.keys.replace(app.state.db.read_here(cairn::auth::keys::load_set).unwrap().unwrap());
        let after = app.anyone().login(ADMIN.0, ADMIN.1);
        assert_eq!(parts(after.token.as_ref().unwrap()).0["kid"], kid);
        before.get("/v1/me").expect(200);
        after.get("/v1/me").expect(200);
        assert_eq!(app.anyone().get("/.well-known/jwks.json").expect(200)["keys"].as_array().unwrap().len(), 2);
    }

    fn a_machine_gets_tokens_by_its_secret(app) {
        let made = app.admin().post("/v1/clients", json!({"name": "HR", "scopes": ["users:read", "users:write"]})).expect(201);
        let (id, secret) = (made["client_id"].as_str().unwrap().to_owned(), made["client_secret"].as_str().unwrap().to_owned());
        let shown = app.admin().get(&format!("/v1/clients/{id}")).expect(200);
        assert!(shown.json.get("client_secret").is_none(), "shown once");
        let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        let token = |fields: &[(&str, &str)], headers: &[(&str, &str)]| app.anyone().form("/oauth/token", fields, headers);
        let good = token(&[("grant_type", "client_credentials")], &[("authorization", &basic)]).expect(200);
        assert_eq!((&good["token_type"], &good["scope"]), (&json!("Bearer"), &json!("users:read users:write")));
        let narrowed = token(&[("grant_type", "client_credentials"), ("scope", "users:read")], &[("authorization", &basic)]).expect(200);
        let reader = app.with_token(narrowed["access_token"].as_str().unwrap());
        reader.get("/v1/users").expect(200);
        reader.post("/v1/users", json!({"email": "x@y.z", "given_name": "X", "family_name": "Y"})).problem(403, "forbidden");
        reader.get("/v1/me").problem(403, "forbidden");

        let error = |fields: &[(&str, &str)], headers: &[(&str, &str)], status: u16, name: &str| {
            assert_eq!(token(fields, headers).expect(status)["error"], name);
        };
        let wrong = format!("Basic {}", STANDARD.encode(format!("{id}:wrong")));
        error(&[("grant_type", "client_credentials")], &[("authorization", &wrong)], 401, "invalid_client");
        error(&[("grant_type", "client_credentials")], &[], 401, "invalid_client");
        error(&[("grant_type", "password")], &[("authorization", &basic)], 400, "unsupported_grant_type");
        error(&[], &[("authorization", &basic)], 400, "invalid_request");
        error(&[("grant_type", "client_credentials"), ("scope", "courses:write")], &[("authorization", &basic)], 400, "invalid_scope");

        app.admin().patch(&format!("/v1/clients/{id}"), json!({"scopes": ["users:write"]})).expect(200);
        reader.get("/v1/users").problem(403, "forbidden");
        app.admin().patch(&format!("/v1/clients/{id}"), json!({"state": "disabled"})).expect(200);
        reader.get("/v1/users").problem(401, "unauthenticated");
    }

    fn only_admins_manage_clients(app) {
        for who in [app.staff("author"), app.staff("instructor"), app.user("learner"), app.machine(&["users:write"])] {
            who.get("/v1/clients").problem(403, "forbidden");
            who.post("/v1/clients", json!({"name": "Mine", "scopes": []})).problem(403, "forbidden");
        }
    }
}
