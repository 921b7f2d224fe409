//! Machine clients: how they prove who they are, what their tokens are worth, and acting as somebody.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;

use crate::support::factory::{article, sequence, unique};
use crate::support::tokens::{attacks, attacks_by, jwks, sign, sign_text};
use crate::support::{Answer, TestApp, Value, json};

const BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";
const USER_ID: &str = "urn:cairn:params:oauth:token-type:user-id";

struct Machine {
    id: String,
    secret: String,
}

fn machine(app: &TestApp, scopes: &[&str]) -> Machine {
    let body = json!({"name": unique("m"), "scopes": scopes, "auth_method": "client_secret_post"});
    let made = app.admin().post("/v1/clients", body).expect(201);
    Machine { id: made["client_id"].as_str().unwrap().into(), secret: made["client_secret"].as_str().unwrap().into() }
}

fn call(app: &TestApp, path: &str, machine: &Machine, fields: &[(&str, &str)]) -> Answer {
    let mut all = vec![("client_id", machine.id.as_str()), ("client_secret", machine.secret.as_str())];
    all.extend_from_slice(fields);
    app.anyone().form(path, &all, &[])
}

fn signer(app: &TestApp) -> String {
    let body =
        json!({"name": unique("signer "), "scopes": ["users:read"], "auth_method": "private_key_jwt", "jwks": jwks()});
    let made = app.admin().post("/v1/clients", body).expect(201);
    assert!(made.json.get("client_secret").is_none());
    made["client_id"].as_str().unwrap().to_owned()
}

fn claims(app: &TestApp, id: &str) -> Value {
    let now = app.state.clock.now().timestamp();
    json!({"iss": id, "sub": id, "aud": "https://cairn.example/oauth/token", "iat": now, "exp": now + 300, "jti": unique("jti")})
}

fn present(app: &TestApp, assertion: &str) -> Answer {
    let fields =
        [("grant_type", "client_credentials"), ("client_assertion_type", BEARER), ("client_assertion", assertion)];
    app.anyone().form("/oauth/token", &fields, &[])
}

fn error(answer: Answer, status: u16, name: &str) {
    assert_eq!(answer.expect(status)["error"], name);
}

both! {
    fn an_assertion_of_each_algorithm_gets_a_token(app) {
        let id = signer(app);
        for algorithm in [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
            let token = present(app, &sign(algorithm, &claims(app, &id))).expect(200);
            app.with_token(token["access_token"].as_str().unwrap()).get("/v1/users").expect(200);
        }
        let mut to_issuer = claims(app, &id);
        to_issuer["aud"] = json!(["https://cairn.example", "https://other.example"]);
        present(app, &sign(Algorithm::ES256, &to_issuer)).expect(200);
        // The name that RFC 9864 gives EdDSA.
        let header = json!({"alg": "Ed25519", "kid": "ed"}).to_string();
        present(app, &sign_text(&header, &claims(app, &id).to_string())).expect(200);
    }

    fn an_assertion_counts_once_also_after_a_restart(app) {
        let id = signer(app);
        let assertion = sign(Algorithm::ES256, &claims(app, &id));
        present(app, &assertion).expect(200);
        error(present(app, &assertion), 401, "invalid_client");
        // What remembers it is the database, and its cleaning keeps what has not expired.
        app.work();
        error(present(app, &assertion), 401, "invalid_client");
    }

    fn attacks_on_assertions_are_refused(app) {
        let id = signer(app);
        let now = app.state.clock.now().timestamp();
        for (attack, token) in attacks(&claims(app, &id), now) {
            let answer = present(app, &token);
            assert!(answer.status == 401 && answer["error"] == "invalid_client", "{attack}: {} {}", answer.status, answer.text());
        }
        let change = |name: &str, value: Value| {
            let mut changed = claims(app, &id);
            changed[name] = value;
            error(present(app, &sign(Algorithm::EdDSA, &changed)), 401, "invalid_client");
        };
        change("exp", json!(now + 7200));
        change("jti", json!(null));
        change("sub", json!("0199c0de-0000-7000-8000-000000000001"));
        change("iss", json!(machine(app, &[]).id));
    }

    fn attacks_on_access_tokens_are_refused(app) {
        let m = machine(app, &["users:read"]);
        let token = call(app, "/oauth/token", &m, &[("grant_type", "client_credentials")]).expect(200)["access_token"].as_str().unwrap().to_owned();
        app.with_token(&token).get("/v1/users").expect(200);
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
        // By the server's own key, which nobody has: whatever the signature, the rest is judged too.
        let keys = app.state.tokens.keys.get();
        let now = app.state.clock.now().timestamp();
        for (attack, token) in attacks_by(&keys.signing, &keys.current, "at+jwt", &claims, now) {
            let answer = app.with_token(&token).get("/v1/users");
            assert_eq!(answer.status, 401, "{attack}: {}", answer.text());
            assert_eq!(call(app, "/oauth/introspect", &m, &[("token", &token)]).expect(200).json, json!({"active": false}), "{attack}");
        }
    }

    fn keys_roll_over_and_only_good_ones_are_registered(app) {
        let id = signer(app);
        let only_ec = json!({"keys": [jwks()["keys"][1]]});
        app.admin().patch(&format!("/v1/clients/{id}"), json!({"jwks": only_ec})).expect(200);
        present(app, &sign(Algorithm::ES256, &claims(app, &id))).expect(200);
        error(present(app, &sign(Algorithm::RS256, &claims(app, &id))), 401, "invalid_client");
        let bad = |keys: Value| app.admin().patch(&format!("/v1/clients/{id}"), json!({"jwks": {"keys": keys}})).faults();
        assert_eq!(bad(json!([{"kty": "oct", "k": "c2VjcmV0"}])), ["/jwks/keys/0"]);
        assert_eq!(bad(json!([{"kty": "RSA", "n": "AQAB", "e": "AQAB"}])), ["/jwks/keys/0"]);
        assert_eq!(bad(json!([])), ["/jwks/keys"]);
        // Nor keys that are none: beside the curve, too short, and one by which everybody could sign.
        let (rsa, ec, ed) = (jwks()["keys"][0].clone(), jwks()["keys"][1].clone(), jwks()["keys"][2].clone());
        let with = |key: &Value, name: &str, value: &str| {
            let mut key = key.clone();
            key[name] = json!(value);
            json!([key])
        };
        for exponent in ["AQ", "AA", "Ag", "", "AQAAAAE"] {
            assert_eq!(bad(with(&rsa, "e", exponent)), ["/jwks/keys/0"], "{exponent}");
        }
        assert_eq!(bad(with(&ec, "y", ec["x"].as_str().unwrap())), ["/jwks/keys/0"]);
        assert_eq!(bad(with(&ed, "x", "AQ")), ["/jwks/keys/0"]);
        app.admin().patch(&format!("/v1/clients/{id}"), json!({"jwks": {"keys": [rsa, ec, ed]}})).expect(200);
        let body = json!({"name": "x", "scopes": [], "auth_method": "private_key_jwt"});
        assert_eq!(app.admin().post("/v1/clients", body).faults(), ["/jwks"]);
    }

    /// RFC 7515: a key id is a hint. Where one key alone fits the algorithm, there is nothing to hint at.
    fn an_assertion_may_name_no_key(app) {
        let id = signer(app);
        let unnamed = |alg: &str| present(app, &sign_text(&json!({"alg": alg}).to_string(), &claims(app, &id).to_string()));
        unnamed("EdDSA").expect(200);
        // Whatever else the header says: no other kind of key is tried.
        for alg in ["RS256", "ES256", "none", "HS256"] {
            error(unnamed(alg), 401, "invalid_client");
        }
        let named = sign_text(&json!({"alg": "EdDSA", "kid": ""}).to_string(), &claims(app, &id).to_string());
        error(present(app, &named), 401, "invalid_client");
        let mut keys = jwks();
        let other = ed25519_dalek::SigningKey::from_bytes(&[8; 32]);
        let mut second = keys["keys"][2].clone();
        second["kid"] = json!("ed2");
        second["x"] = json!(URL_SAFE_NO_PAD.encode(other.verifying_key().as_bytes()));
        keys["keys"].as_array_mut().unwrap().push(second);
        app.admin().patch(&format!("/v1/clients/{id}"), json!({"jwks": keys})).expect(200);
        error(unnamed("EdDSA"), 401, "invalid_client");
        // Keys without ids are registered as long as no token could mean two of them.
        for key in keys["keys"].as_array_mut().unwrap() {
            key.as_object_mut().unwrap().remove("kid");
        }
        assert_eq!(app.admin().patch(&format!("/v1/clients/{id}"), json!({"jwks": keys})).faults(), ["/jwks/keys/3/kid"]);
        keys["keys"].as_array_mut().unwrap().pop();
        app.admin().patch(&format!("/v1/clients/{id}"), json!({"jwks": keys})).expect(200);
        unnamed("EdDSA").expect(200);
    }

    fn tokens_are_for_this_server(app) {
        let m = machine(app, &["users:read"]);
        let ask = |fields: &[(&str, &str)]| call(app, "/oauth/token", &m, &[&[("grant_type", "client_credentials")], fields].concat());
        for fields in [
            &[("audience", "https://cairn.example")][..],
            &[("audience", "https://cairn.example/v1"), ("resource", "https://cairn.example/")],
            &[("resource", "https://cairn.example/scim/v2"), ("resource", "https://cairn.example/v1"), ("audience", "https://cairn.example"), ("audience", "https://cairn.example/v1")],
            &[("resource", ""), ("audience", "")],
        ] {
            ask(fields).expect(200);
        }
        for foreign in [
            ("audience", "https://other.example"),
            ("audience", "https://cairn.example.evil.example"),
            ("resource", "https://other.example/v1"),
            ("resource", "https://cairn.example@evil.example/"),
            ("resource", "https://cairn.example/v1#part"),
            ("resource", "https://cairn.example/../x"),
            ("resource", "cairn"),
        ] {
            error(ask(&[foreign]), 400, "invalid_target");
            error(ask(&[("resource", "https://cairn.example"), foreign]), 400, "invalid_target");
        }
    }

    /// A form that is too long is refused as everything else here is.
    fn long_forms_are_refused_in_words(app) {
        let m = machine(app, &[]);
        let long = "x".repeat(300_000);
        for path in ["/oauth/token", "/oauth/introspect", "/oauth/revoke"] {
            let answer = call(app, path, &m, &[("grant_type", "client_credentials"), ("token", &long)]);
            assert_eq!(answer.header("content-type"), Some("application/json"));
            assert!(answer["error_description"].as_str().unwrap().contains("65536"), "{}", answer.text());
            error(answer, 413, "invalid_request");
        }
    }

    fn two_secrets_count_while_one_is_replaced(app) {
        let old = machine(app, &["users:read"]);
        let grant = [("grant_type", "client_credentials")];
        let path = format!("/v1/clients/{}/secrets", old.id);
        let changed = || app.admin().get(&format!("/v1/clients/{}", old.id)).expect(200)["updated_at"].as_str().unwrap().to_owned();
        let at_first = changed();
        app.advance(1);
        let made = app.admin().post(&path, json!({"old_expires_in_seconds": 3600})).expect(201);
        let new = Machine { id: old.id.clone(), secret: made["client_secret"].as_str().unwrap().into() };
        let at_second = changed();
        assert!(at_second > at_first);
        call(app, "/oauth/token", &old, &grant).expect(200);
        call(app, "/oauth/token", &new, &grant).expect(200);
        app.admin().post(&path, json!({})).problem(409, "wrong_state");
        app.advance(3601);
        error(call(app, "/oauth/token", &old, &grant), 401, "invalid_client");
        call(app, "/oauth/token", &new, &grant).expect(200);
        let client = app.admin().get(&format!("/v1/clients/{}", old.id)).expect(200);
        assert_eq!(client["secrets"].as_array().unwrap().len(), 1);
        assert!(client["last_used_at"].is_string());
        app.admin().delete(&format!("{path}/{}", made.id())).expect(204);
        assert!(changed() > at_second);
        app.admin().delete(&format!("{path}/{}", made.id())).problem(404, "not_found");
        error(call(app, "/oauth/token", &new, &grant), 401, "invalid_client");
    }

    fn a_client_authenticates_in_one_way_and_its_own(app) {
        let m = machine(app, &["users:read"]);
        let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", m.id, m.secret)));
        let with = |fields: &[(&str, &str)]| app.anyone().form("/oauth/token", fields, &[("authorization", &basic)]);
        error(with(&[("grant_type", "client_credentials")]), 401, "invalid_client");
        error(with(&[("grant_type", "client_credentials"), ("client_id", &m.id), ("client_secret", &m.secret)]), 400, "invalid_request");
        error(call(app, "/oauth/token", &m, &[("grant_type", "client_credentials"), ("client_assertion", "a.b.c"), ("client_assertion_type", BEARER)]), 400, "invalid_request");
        error(call(app, "/oauth/token", &m, &[("grant_type", "client_credentials"), ("grant_type", "x")]), 400, "invalid_request");
        error(call(app, "/oauth/token", &m, &[("grant_type", "authorization_code")]), 400, "unsupported_grant_type");
    }

    fn tokens_are_looked_at_and_revoked(app) {
        let (m, other) = (machine(app, &["users:read", "users:write"]), machine(app, &[]));
        let token = |scope: &str| call(app, "/oauth/token", &m, &[("grant_type", "client_credentials"), ("scope", scope)]).expect(200)["access_token"].as_str().unwrap().to_owned();
        let (first, second) = (token("users:read"), token("users:read"));
        let look = |token: &str| call(app, "/oauth/introspect", &other, &[("token", token)]).expect(200);
        let seen = look(&first);
        assert_eq!((&seen["active"], &seen["scope"], &seen["client_id"]), (&json!(true), &json!("users:read"), &json!(m.id)));
        error(app.anyone().form("/oauth/introspect", &[("token", &first)], &[]), 401, "invalid_client");
        error(call(app, "/oauth/revoke", &other, &[("token", &first)]), 400, "unauthorized_client");
        error(app.anyone().form("/oauth/revoke", &[("token", &first)], &[]), 401, "invalid_client");
        call(app, "/oauth/revoke", &m, &[("token", &first)]).expect(200);
        call(app, "/oauth/revoke", &m, &[("token", &first)]).expect(200);
        call(app, "/oauth/revoke", &m, &[("token", "nonsense")]).expect(200);
        assert_eq!(look(&first).json, json!({"active": false}));
        assert_eq!(look("a.b.c").json, json!({"active": false}));
        app.with_token(&first).get("/v1/users").problem(401, "unauthenticated");
        app.with_token(&second).get("/v1/users").expect(200);
    }

    fn a_persons_tokens_end_with_their_session(app) {
        let m = machine(app, &[]);
        let (email, password) = crate::support::app::ADMIN;
        let log_in = || app.anyone().post("/v1/sessions", json!({"email": email, "password": password})).expect(201);
        for name in ["access_token", "refresh_token"] {
            let session = log_in();
            let token = |name: &str| session[name].as_str().unwrap().to_owned();
            for name in ["access_token", "refresh_token"] {
                assert_eq!(call(app, "/oauth/introspect", &m, &[("token", &token(name))]).expect(200)["active"], true, "{name}");
            }
            app.anyone().form("/oauth/revoke", &[("token", &token(name))], &[]).expect(200);
            app.with_token(&token("access_token")).get("/v1/me").problem(401, "unauthenticated");
            assert_eq!(call(app, "/oauth/introspect", &m, &[("token", &token("refresh_token"))]).expect(200)["active"], false);
        }
    }

    fn a_client_acts_as_one_user_within_its_scopes(app) {
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![article("a")])]}));
        let ada = app.user_with("ada", json!({"external_id": unique("hr-")}));
        let m = machine(app, &["act_as", "enrollments:read", "enrollments:write", "users:read", "courses:read"]);
        let exchange = |m: &Machine, subject: &str, kind: &str, more: &[(&str, &str)]| {
            let mut fields = vec![("grant_type", EXCHANGE), ("subject_token", subject), ("subject_token_type", kind)];
            fields.extend_from_slice(more);
            call(app, "/oauth/token", m, &fields)
        };
        let token = exchange(&m, ada.id(), USER_ID, &[("scope", "enrollments:read enrollments:write courses:read")]).expect(200);
        assert_eq!((&token["issued_token_type"], &token["scope"]), (&json!(ACCESS), &json!("enrollments:read enrollments:write courses:read")));
        assert_eq!(call(app, "/oauth/introspect", &m, &[("token", token["access_token"].as_str().unwrap())]).expect(200)["act"]["sub"], m.id.as_str());
        error(exchange(&m, ada.id(), USER_ID, &[("audience", "https://other.example")]), 400, "invalid_target");
        exchange(&m, ada.id(), USER_ID, &[("audience", "https://cairn.example")]).expect(200);
        let as_ada = app.with_token(token["access_token"].as_str().unwrap());
        assert_eq!(as_ada.get("/v1/me").expect(200)["id"], ada.id());
        let enrollment = as_ada.enroll(&course);
        as_ada.open(&enrollment, "a").expect(200);
        as_ada.get("/v1/users").problem(403, "forbidden");
        // The log names both.
        let log = app.admin().get(&format!("/v1/audit?actor={}&via_client_id={}&action=enrollment.created", ada.id(), m.id)).expect(200);
        assert_eq!(log["items"].as_array().unwrap().len(), 1);
        let log = app.admin().get(&format!("/v1/audit?subject={}&action=client.acted_as", ada.id())).expect(200);
        assert_eq!(log["items"][0]["actor"]["id"], m.id.as_str());
        // Acting as an admin does not administer.
        let admin = app.admin().id().to_owned();
        let token = exchange(&m, &admin, USER_ID, &[]).expect(200);
        assert_eq!(token["scope"], "enrollments:read enrollments:write users:read courses:read", "act_as is not handed on");
        let as_admin = app.with_token(token["access_token"].as_str().unwrap());
        as_admin.get("/v1/clients").problem(403, "forbidden");
        as_admin.get("/v1/audit").problem(403, "forbidden");
        as_admin.get("/v1/users").problem(403, "forbidden");
        as_admin.get("/v1/me").expect(200);
        error(exchange(&m, token["access_token"].as_str().unwrap(), ACCESS, &[]), 400, "invalid_grant");
        // By the user's own token; that ends when the session does.
        let plain = machine(app, &["enrollments:read"]);
        error(exchange(&plain, ada.id(), USER_ID, &[]), 400, "unauthorized_client");
        let own = ada.token.clone().unwrap();
        let token = exchange(&plain, &own, ACCESS, &[]).expect(200);
        let as_ada = app.with_token(token["access_token"].as_str().unwrap());
        as_ada.get("/v1/me").expect(200);
        ada.delete("/v1/sessions/current").expect(204);
        as_ada.get("/v1/me").problem(401, "unauthenticated");
        error(exchange(&m, "ext:nobody", USER_ID, &[]), 400, "invalid_grant");
        error(exchange(&m, "x", "urn:other", &[]), 400, "invalid_request");
        error(exchange(&m, ada.id(), USER_ID, &[("scope", "users:write")]), 400, "invalid_scope");
        // A suspended user is nobody to act as.
        app.admin().patch(&format!("/v1/users/{}", ada.id()), json!({"state": "suspended"})).expect(200);
        error(exchange(&m, ada.id(), USER_ID, &[]), 400, "invalid_grant");
    }

    /// Whatever scopes it has, a client reads who the person is and leaves their account alone.
    fn a_client_leaves_the_account_to_the_person(app) {
        let body = json!({"email": "zoe@example.org", "given_name": "Z", "family_name": "Z", "password": "correct-horse-9"});
        let id = app.admin().post("/v1/users", body).expect(201).id();
        let zoe = app.acting_as(&id);
        let before = (zoe.get("/v1/me").expect(200).json, zoe.get("/v1/me/game-preferences").expect(200).json);
        for scopes in [&["act_as", "courses:read"][..], &["act_as", "users:read", "users:write", "games:write", "scim"][..]] {
            let through = app.acting_through(&scopes.iter().map(|scope| (*scope).to_owned()).collect::<Vec<_>>(), &id);
            assert_eq!(through.get("/v1/me").expect(200)["id"], id);
            let refused = through.patch("/v1/me", json!({"locale": "de"})).problem(403, "forbidden");
            assert!(refused["detail"].as_str().unwrap().contains("the person themself"), "{}", refused.text());
            through.patch("/v1/me", json!({"password": "another-horse-9", "current_password": "correct-horse-9"})).problem(403, "forbidden");
            through.get("/v1/me/game-preferences").problem(403, "forbidden");
            through.put("/v1/me/game-preferences", json!({"display": "hidden"})).problem(403, "forbidden");
            through.get(&format!("/v1/users/{id}/export")).problem(403, "forbidden");
            through.delete("/v1/sessions/current").problem(403, "forbidden");
            let patch = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{"op": "replace", "path": "locale", "value": "de"}]});
            through.patch("/scim/v2/Me", patch).expect(403);
            let whole = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "zoe@example.org", "locale": "de"});
            through.put("/scim/v2/Me", whole).expect(403);
        }
        assert_eq!((zoe.get("/v1/me").expect(200).json, zoe.get("/v1/me/game-preferences").expect(200).json), before);
        zoe.get(&format!("/v1/users/{id}/export")).expect(200);
        zoe.delete("/v1/sessions/current").expect(204);
    }

    fn the_metadata_says_what_there_is(app) {
        let metadata = app.anyone().get("/.well-known/oauth-authorization-server").expect(200);
        assert_eq!(metadata["issuer"], "https://cairn.example");
        for (name, path) in [("token", "token"), ("introspection", "introspect"), ("revocation", "revoke")] {
            assert_eq!(metadata[&format!("{name}_endpoint")], format!("https://cairn.example/oauth/{path}"));
        }
        assert!(metadata["scopes_supported"].as_array().unwrap().contains(&json!("act_as")));
    }
}
