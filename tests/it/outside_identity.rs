//! Tokens of outside issuers: mapped to users, made on first sight, and attacked.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jsonwebtoken::Algorithm;

use crate::support::factory::unique;
use crate::support::tokens::{attacks, jwks, sign};
use crate::support::{TestApp, Value, json};

const ISSUER: &str = "https://id.example";

fn settings(change: &Value) -> String {
    let mut one = json!({"issuer": ISSUER, "audience": "cairn", "algorithms": ["RS256", "PS256", "ES256", "EdDSA"], "jwks": jwks()});
    for (name, value) in change.as_object().unwrap() {
        one[name] = value.clone();
    }
    json!([one]).to_string()
}

fn on_both(change: &Value, scenario: impl Fn(&TestApp)) {
    let setting = settings(change);
    scenario(&TestApp::sqlite_with(|config| config.access.trusted_issuers = Some(setting.clone())));
    if let Some(app) = TestApp::postgres_with(|config| config.access.trusted_issuers = Some(setting.clone())) {
        scenario(&app);
    }
}

fn claims(app: &TestApp, email: &str) -> Value {
    let now = app.state.clock.now().timestamp();
    json!({"iss": ISSUER, "sub": "u1", "aud": "cairn", "iat": now, "exp": now + 3600, "email": email, "email_verified": true, "given_name": "Grace"})
}

#[test]
fn a_known_user_comes_in_by_each_algorithm_and_an_unknown_one_does_not() {
    on_both(&json!({}), |app| {
        let ada = app.user("ada");
        let email = ada.get("/v1/me").expect(200)["email"].as_str().unwrap().to_uppercase();
        for algorithm in [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
            let token = sign(algorithm, &claims(app, &email));
            assert_eq!(app.with_token(&token).get("/v1/me").expect(200)["id"], ada.id());
            // Its session is the issuer's.
            app.with_token(&token).delete("/v1/sessions/current").problem(409, "wrong_state");
        }
        app.with_token(&sign(Algorithm::RS256, &claims(app, "nobody@example.org")))
            .get("/v1/me")
            .problem(401, "unauthenticated");
        let mut unverified = claims(app, &email);
        unverified["email_verified"] = json!(false);
        app.with_token(&sign(Algorithm::RS256, &unverified)).get("/v1/me").problem(401, "unauthenticated");
        // A token that was good ends with its time, and with the user's state.
        let token = sign(Algorithm::ES256, &claims(app, &email));
        app.with_token(&token).get("/v1/me").expect(200);
        app.admin().patch(&format!("/v1/users/{}", ada.id()), json!({"state": "suspended"})).expect(200);
        app.with_token(&token).get("/v1/me").problem(401, "unauthenticated");
        app.admin().patch(&format!("/v1/users/{}", ada.id()), json!({"state": "active"})).expect(200);
        app.advance(3601);
        app.with_token(&token).get("/v1/me").problem(401, "unauthenticated");
    });
}

#[test]
fn attacks_on_outside_tokens_are_refused() {
    on_both(&json!({}), |app| {
        let ada = app.user("ada");
        let email = ada.get("/v1/me").expect(200)["email"].as_str().unwrap().to_owned();
        let good = claims(app, &email);
        app.with_token(&sign(Algorithm::EdDSA, &good)).get("/v1/me").expect(200);
        for (attack, token) in attacks(&good, app.state.clock.now().timestamp()) {
            let answer = app.with_token(&token).get("/v1/me");
            assert_eq!(answer.status, 401, "{attack}: {}", answer.text());
        }
    });
    // An algorithm that the key could do but the configuration does not name.
    on_both(&json!({"algorithms": ["RS256"]}), |app| {
        let email = app.user("ada").get("/v1/me").expect(200)["email"].as_str().unwrap().to_owned();
        app.with_token(&sign(Algorithm::RS256, &claims(app, &email))).get("/v1/me").expect(200);
        app.with_token(&sign(Algorithm::PS256, &claims(app, &email))).get("/v1/me").problem(401, "unauthenticated");
    });
}

#[test]
fn a_new_user_is_made_on_first_sight_when_so_configured() {
    on_both(
        &json!({"create_users": true, "user_claim": "sub", "user_field": "external_id", "roles": ["author"]}),
        |app| {
            let token = sign(Algorithm::RS256, &claims(app, "grace@example.org"));
            let me = app.with_token(&token).get("/v1/me").expect(200);
            assert_eq!(
                (&me["external_id"], &me["given_name"], &me["roles"]),
                (&json!("u1"), &json!("Grace"), &json!(["author"]))
            );
            let again = sign(Algorithm::ES256, &claims(app, "grace@example.org"));
            assert_eq!(app.with_token(&again).get("/v1/me").expect(200)["id"], me["id"]);
            let log = app.admin().get(&format!("/v1/audit?subject={}&action=user.created", me.id())).expect(200);
            assert_eq!(log["items"][0]["data"]["issuer"], ISSUER);
        },
    );
}

#[test]
fn of_those_who_come_at_once_for_the_first_time_one_is_made() {
    on_both(&json!({"create_users": true}), |app| {
        for round in 0..4 {
            let token = sign(Algorithm::ES256, &claims(app, &format!("grace{round}@example.org")));
            let ids: Vec<String> = std::thread::scope(|scope| {
                let one = |_| {
                    let client = app.with_token(&token);
                    scope.spawn(move || client.get("/v1/me").expect(200).id())
                };
                let all: Vec<_> = (0..8).map(one).collect();
                all.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        }
    });
}

#[test]
fn nobody_is_made_with_what_no_user_could_have() {
    on_both(&json!({"create_users": true}), |app| {
        let admin = app.admin();
        let before = admin.all("/v1/users").len();
        for email in [
            "ada@x.org ",
            "x@y ",
            "a@b@c",
            "x@y\n",
            "a\u{200b}@x.org",
            "a\u{ad}@x.org",
            "mailto:zz@x.org",
            "a\0@x.org",
            "@",
        ] {
            app.with_token(&sign(Algorithm::ES256, &claims(app, email))).get("/v1/me").problem(401, "unauthenticated");
            if email.contains('\0') {
                continue;
            }
            let same = json!({"email": email, "given_name": "A", "family_name": "B"});
            assert_eq!(admin.post("/v1/users", same).faults(), ["/email"], "{email:?}");
        }
        assert_eq!(admin.all("/v1/users").len(), before);
        let mut named = claims(app, "grace@example.org");
        named["given_name"] = json!("A\u{7}da");
        let me = app.with_token(&sign(Algorithm::ES256, &named)).get("/v1/me").expect(200);
        assert_eq!(me["given_name"], "–");
    });
    on_both(&json!({"create_users": true, "user_claim": "sub", "user_field": "external_id"}), |app| {
        for sub in ["x".repeat(201), "a\0b".into()] {
            let mut long = claims(app, "grace@example.org");
            long["sub"] = json!(sub);
            app.with_token(&sign(Algorithm::ES256, &long)).get("/v1/me").problem(401, "unauthenticated");
        }
    });
}

/// A small issuer on this machine, that counts how often its keys are asked for.
struct LocalIssuer {
    url: String,
    keys: Arc<Mutex<Value>>,
    asked: Arc<AtomicUsize>,
}

fn local_issuer() -> LocalIssuer {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let keys = Arc::new(Mutex::new(json!({"keys": []})));
    let asked = Arc::new(AtomicUsize::new(0));
    let (base, shared, count) = (url.clone(), Arc::clone(&keys), Arc::clone(&asked));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut text = Vec::new();
            let mut piece = [0; 1024];
            while !text.ends_with(b"\r\n\r\n") {
                let n = stream.read(&mut piece).unwrap_or(0);
                if n == 0 {
                    break;
                }
                text.extend_from_slice(&piece[..n]);
            }
            let body = if text.starts_with(b"GET /.well-known/openid-configuration") {
                json!({"issuer": base, "jwks_uri": format!("{base}/keys")})
            } else {
                count.fetch_add(1, Ordering::SeqCst);
                shared.lock().unwrap().clone()
            }
            .to_string();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    LocalIssuer { url, keys, asked }
}

#[test]
fn keys_are_discovered_kept_and_rolled_over() {
    let issuer = local_issuer();
    let all = jwks();
    *issuer.keys.lock().unwrap() = json!({"keys": [all["keys"][0]]});
    let setting = json!([{"issuer": issuer.url, "audience": "cairn", "algorithms": ["RS256", "ES256"]}]).to_string();
    let app = TestApp::sqlite_with(|config| config.access.trusted_issuers = Some(setting));
    let email = app.user("ada").get("/v1/me").expect(200)["email"].as_str().unwrap().to_owned();
    let token = |algorithm| {
        let mut claims = claims(&app, &email);
        claims["iss"] = json!(issuer.url);
        claims["jti"] = json!(unique("t"));
        sign(algorithm, &claims)
    };
    let asked = || issuer.asked.load(Ordering::SeqCst);
    for _ in 0..3 {
        app.with_token(&token(Algorithm::RS256)).get("/v1/me").expect(200);
    }
    assert_eq!(asked(), 1, "keys are kept");
    // The issuer rolls over: at once nobody asks again, a minute later the new key is found.
    *issuer.keys.lock().unwrap() = json!({"keys": [all["keys"][0], all["keys"][1]]});
    for _ in 0..3 {
        app.with_token(&token(Algorithm::ES256)).get("/v1/me").problem(401, "unauthenticated");
    }
    assert_eq!(asked(), 1, "at most once a minute");
    app.advance(61);
    app.with_token(&token(Algorithm::ES256)).get("/v1/me").expect(200);
    assert_eq!(asked(), 2);
    app.with_token(&token(Algorithm::RS256)).get("/v1/me").expect(200);
    // The old key goes, and an hour later it does not count any more.
    *issuer.keys.lock().unwrap() = json!({"keys": [all["keys"][1]]});
    app.advance(3601);
    app.with_token(&token(Algorithm::RS256)).get("/v1/me").problem(401, "unauthenticated");
    app.with_token(&token(Algorithm::ES256)).get("/v1/me").expect(200);
}

#[test]
fn a_wrong_setting_is_named_at_the_start() {
    use cairn::auth::outside::Outside;
    for wrong in [
        json!({}).to_string(),
        json!([{"issuer": "https://x.example"}]).to_string(),
        json!([{"issuer": "http://x.example", "audience": "a"}]).to_string(),
        json!([{"issuer": "https://x.example", "audience": "a", "algorithms": ["HS256"]}]).to_string(),
        json!([{"issuer": "https://x.example", "audience": "a", "roles": ["admin"]}]).to_string(),
        json!([{"issuer": "https://x.example", "audience": "a", "jwks": {"keys": [{"kty": "oct", "k": "eA"}]}}])
            .to_string(),
    ] {
        assert!(Outside::parse(Some(&wrong)).is_err(), "{wrong}");
    }
    assert!(Outside::parse(None).is_ok());
}
