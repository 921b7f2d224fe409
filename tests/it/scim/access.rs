//! Who may, how errors look, what the server says of itself, and `/Me`.

use super::{BASE, ENTERPRISE, GROUP, USER, make, patch, person, provider, user};
use crate::support::{TestApp, json};

both! {
    fn errors_are_scim_s(app) {
        let idp = provider(app);
        let nobody = app.anyone().get("/scim/v2/Users").scim_error(401, None);
        assert!(nobody.header("www-authenticate").unwrap().starts_with("Bearer"));
        app.with_token("rubbish").get("/scim/v2/Users").scim_error(401, None);
        let refused = app.machine(&["users:read", "users:write", "groups:read", "groups:write"]).get("/scim/v2/Users").scim_error(403, None);
        assert!(refused["detail"].as_str().unwrap().contains("scim"));
        // With the scope for SCIM, a machine reads nothing elsewhere.
        idp.get("/v1/users").problem(403, "forbidden");
        idp.get("/v1/groups").problem(403, "forbidden");
        for nothing in ["/scim/v2/Nothing", "/scim/v2", "/scim", "/scim/v1/Users", "/scim/v2/Users/nobody", "/scim/v2/Groups/0199c0de-0000-7000-8000-000000000001", "/scim/v2/Schemas/urn:x", "/scim/v2/ResourceTypes/Device"] {
            idp.get(nothing).scim_error(404, None);
        }
        idp.send("POST", "/scim/v2/Users", &[("content-type", "text/xml")], Some(b"<x/>")).scim_error(415, None);
        for body in [&b"{"[..], b"[]", b"null", b"\"x\"", b"\xff", b""] {
            idp.send("POST", "/scim/v2/Users", &[("content-type", "application/scim+json")], Some(body)).scim_error(400, Some("invalidSyntax"));
        }
        let large = format!("{{\"x\": \"{}\"}}", "x".repeat(5 << 20));
        idp.send("POST", "/scim/v2/Users", &[("content-type", "application/json")], Some(large.as_bytes())).scim_error(413, None);
        for (method, path, allowed) in [
            ("DELETE", "/scim/v2/Users", "GET, HEAD, POST"), ("POST", "/scim/v2/Users/0199c0de-0000-7000-8000-000000000001", "DELETE, GET, HEAD, PATCH, PUT"),
            ("POST", "/scim/v2/Schemas", "GET, HEAD"), ("PUT", "/scim/v2/ResourceTypes", "GET, HEAD"), ("PATCH", "/scim/v2/ServiceProviderConfig", "GET, HEAD"),
            ("DELETE", "/scim/v2/Me", "GET, HEAD, PATCH, PUT"), ("GET", "/scim/v2/Bulk", "POST"), ("GET", "/scim/v2/.search", "POST"),
            ("PUT", "/scim/v2/Users/.search", "POST"), ("OPTIONS", "/scim/v2/Groups/.search", "POST"),
        ] {
            let answer = idp.call(method, path, Some(json!({})), &[]).scim_error(405, None);
            assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
        }
    }

    fn what_the_server_says_of_itself(app) {
        let idp = provider(app);
        let config = idp.get("/scim/v2/ServiceProviderConfig").expect(200);
        for feature in ["patch", "bulk", "filter", "changePassword", "sort", "etag"] {
            assert_eq!(config[feature]["supported"], true, "{feature}");
        }
        assert_eq!((&config["filter"]["maxResults"], &config["pagination"]["cursorTimeout"]), (&json!(500), &json!(3_600)));
        assert_eq!((&config["pagination"]["cursor"], &config["pagination"]["index"], &config["pagination"]["defaultPaginationMethod"]), (&json!(true), &json!(true), &json!("index")));
        assert_eq!(config["authenticationSchemes"][0]["type"], "oauthbearertoken");
        let types = idp.get("/scim/v2/ResourceTypes").expect(200);
        assert_eq!((&types["totalResults"], &types["Resources"][0]["schemaExtensions"]), (&json!(2), &json!([{"schema": ENTERPRISE, "required": false}])));
        assert_eq!(idp.get("/scim/v2/ResourceTypes/Group").expect(200)["schema"], GROUP);
        let schemas = idp.get("/scim/v2/Schemas?count=1&startIndex=7").expect(200);
        assert_eq!(schemas["totalResults"], 3);
        for schema in schemas["Resources"].as_array().unwrap() {
            let at = format!("/scim/v2/Schemas/{}", schema["id"].as_str().unwrap());
            assert_eq!(&idp.get(&at).expect(200).json, schema);
            assert_eq!(schema["meta"]["location"], format!("{BASE}/Schemas/{}", schema["id"].as_str().unwrap()));
        }
        for filtered in ["Schemas", "ResourceTypes", "ServiceProviderConfig"] {
            idp.get(&format!("/scim/v2/{filtered}?filter=id%20pr")).scim_error(403, None);
        }
        // Whoever is logged in may ask what there is.
        app.user("ada").get("/scim/v2/Schemas").expect(200);
    }

    /// Every attribute that is published is kept and shown again.
    fn what_is_published_is_kept(app) {
        let idp = provider(app);
        let boss = make(&idp, "boss", json!({}));
        let mut sent = person("ada", json!({}));
        for schema in idp.get("/scim/v2/Schemas").expect(200)["Resources"].as_array().unwrap() {
            let id = schema["id"].as_str().unwrap();
            if id == GROUP {
                continue;
            }
            let mut all = json!({});
            for attribute in schema["attributes"].as_array().unwrap().iter().filter(|a| a["mutability"] != "readOnly") {
                let value = |a: &serde_json::Value| match (a["name"].as_str().unwrap(), a["type"].as_str().unwrap()) {
                    (_, "boolean") => json!(true),
                    (_, "binary") => json!("AQID"),
                    (_, "reference") => json!("https://example.org/x"),
                    ("locale", _) => json!("de-AT"),
                    ("timezone", _) => json!("Europe/Vienna"),
                    ("password", _) => json!("a-long-password"),
                    (name, _) => json!(format!("{name}-value")),
                };
                let name = attribute["name"].as_str().unwrap();
                let mut one = match attribute["type"].as_str().unwrap() {
                    "complex" => attribute["subAttributes"].as_array().unwrap().iter().filter(|a| a["mutability"] != "readOnly" && a["name"] != "$ref")
                        .map(|a| (a["name"].as_str().unwrap().to_owned(), value(a))).collect::<serde_json::Map<_, _>>().into(),
                    _ => value(attribute),
                };
                if name == "emails" {
                    one["value"] = json!("ada@example.org");
                }
                if name == "manager" {
                    one = json!({"value": boss});
                }
                all[name] = if attribute["multiValued"] == true { json!([one]) } else { one };
            }
            if id == USER {
                sent.as_object_mut().unwrap().extend(all.as_object().unwrap().clone());
            } else {
                sent[id] = all;
            }
        }
        let ada = idp.post("/scim/v2/Users", sent.clone()).expect(201).id();
        let mut seen = idp.get(&user(&ada)).expect(200).json;
        seen[ENTERPRISE]["manager"].as_object_mut().unwrap().remove("$ref");
        sent.as_object_mut().unwrap().remove("password");
        sent["schemas"] = json!([USER, ENTERPRISE]);
        for (name, value) in sent.as_object().unwrap() {
            assert_eq!(&seen[name], value, "{name}");
        }
    }

    fn me(app) {
        let ada = app.user_with("ada", json!({"locale": "fr"}));
        let seen = ada.get("/scim/v2/Me").expect(200);
        assert_eq!((seen.id(), &seen["meta"]["location"]), (ada.id().to_owned(), &json!(format!("{BASE}/Users/{}", ada.id()))));
        let tag = seen.header("etag").unwrap().to_owned();
        ada.call("GET", "/scim/v2/Me", None, &[("if-none-match", &tag)]).expect(304);
        // Others' resources stay out of reach.
        ada.get(&user(ada.id())).scim_error(403, None);
        let changed = patch(&ada, "/scim/v2/Me", json!([{"op": "replace", "path": "locale", "value": "de"}, {"op": "add", "path": "nickName", "value": "A"}])).expect(200);
        assert_eq!((&changed["locale"], &changed["nickName"]), (&json!("de"), &json!("A")));
        assert_eq!(ada.get("/v1/me").expect(200)["locale"], "de");
        let mut whole = changed.json.clone();
        whole["timezone"] = json!("Europe/Berlin");
        assert_eq!(ada.put("/scim/v2/Me", whole).expect(200)["timezone"], "Europe/Berlin");
        for (path, value) in [("title", json!("Boss")), ("active", json!(false)), ("userName", json!("x")), ("externalId", json!("x")), ("emails", json!([{"value": "x@example.org"}])), ("password", json!("a-long-password")), ("name.givenName", json!("X"))] {
            patch(&ada, "/scim/v2/Me", json!([{"op": "replace", "path": path, "value": value}])).scim_error(403, None);
        }
        ada.put("/scim/v2/Me", person("someone-else", json!({}))).scim_error(403, None);
        let after = ada.get("/v1/me").expect(200);
        assert_eq!((&after["attributes"], &after["state"], &after["given_name"]), (&json!({}), &json!("active"), &json!("ada")));
        // Admins change all of themselves; a machine is nobody.
        patch(app.admin(), "/scim/v2/Me", json!([{"op": "replace", "path": "title", "value": "Boss"}])).expect(200);
        provider(app).get("/scim/v2/Me").scim_error(403, None);
        patch(&provider(app), "/scim/v2/Me", json!([{"op": "replace", "path": "locale", "value": "de"}])).scim_error(403, None);
    }

    /// An admin provisions, but nobody does so through a client, whatever its scopes; an admin of a unit does not, since SCIM reaches
    /// everybody.
    fn delegated_access(app) {
        let admin = app.admin();
        let id = make(admin, "ada", json!({}));
        let unit = admin.post("/v1/groups", json!({"name": "Acme", "kind": "unit"})).expect(201).id();
        let boss = app.user("boss");
        admin.post(&format!("/v1/users/{}/roles", boss.id()), json!({"role": "admin", "scope": {"kind": "unit", "id": unit}})).expect(201);
        boss.get(&user(&id)).scim_error(403, None);
        boss.post("/scim/v2/Users", person("x", json!({}))).scim_error(403, None);
        admin.get(&user(&id)).expect(200);
        for scopes in ["scim", "users:read"] {
            let made = admin.post("/v1/clients", json!({"name": scopes, "scopes": ["act_as", "scim", "users:read"], "auth_method": "client_secret_post"})).expect(201);
            let fields = [
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"), ("subject_token", admin.token.as_deref().unwrap()),
                ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"), ("scope", scopes),
                ("client_id", made["client_id"].as_str().unwrap()), ("client_secret", made["client_secret"].as_str().unwrap()),
            ];
            let token = app.anyone().form("/oauth/token", &fields, &[]).expect(200);
            let acting = app.with_token(token["access_token"].as_str().unwrap());
            assert_eq!(acting.get(&user(&id)).status, 403, "{scopes}");
            assert_eq!(patch(&acting, &user(&id), json!([{"op": "replace", "path": "title", "value": "T"}])).status, 403, "{scopes}");
            assert_eq!(acting.get("/scim/v2/Me").status, 200, "{scopes}");
            acting.delete("/scim/v2/Groups/0199c0de-0000-7000-8000-000000000001").scim_error(403, None);
        }
    }
}

fn limited(app: &TestApp) {
    let ada = app.user("ada");
    while ada.get("/scim/v2/Me").status == 200 {}
    let refused = ada.get("/scim/v2/Me").scim_error(429, None);
    assert!(refused.header("retry-after").is_some());
}

#[test]
fn whoever_asks_too_often_is_told_as_scim_tells() {
    limited(&TestApp::sqlite_with(|config| config.access.rate_limit_per_minute = 5));
    if let Some(app) = TestApp::postgres_with(|config| config.access.rate_limit_per_minute = 5) {
        limited(&app);
    }
}
