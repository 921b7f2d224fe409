//! Bad input, for every operation that the document knows: a clear problem, nothing changed, never a 500.

use crate::openapi::operations;
use crate::support::factory::{article, quiz, sequence};
use crate::support::{Answer, Client, TestApp, Value, json};

/// The path with things in it that exist, as far as there are any.
fn fill(app: &TestApp, path: &str) -> String {
    let course = app.admin().get("/v1/courses").expect(200)["items"][0]["id"].as_str().unwrap_or_default().to_owned();
    let enrollment =
        app.admin().get("/v1/enrollments").expect(200)["items"][0]["id"].as_str().unwrap_or_default().to_owned();
    let me = app.admin().id().to_owned();
    let mut out = path.to_owned();
    for (name, value) in [
        ("{course_id}", course.as_str()),
        ("{enrollment_id}", &enrollment),
        ("{user_id}", &me),
        ("{module_key}", "a"),
        ("{revision}", "1"),
    ] {
        out = out.replace(name, value);
    }
    while let (Some(from), Some(to)) = (out.find('{'), out.find('}')) {
        out.replace_range(from..=to, "0199c0de-0000-7000-8000-000000000001");
    }
    out
}

fn set_up(app: &TestApp) -> Client {
    let course = app.course(
        "linear_hurdles",
        &json!({"stages": [sequence("s", "linear", vec![article("a"), quiz("q", "hurdle", json!({}))])]}),
    );
    app.admin().enroll(&course);
    app.admin().clone()
}

/// What must not change: everything that lists show.
fn everything(app: &TestApp) -> Value {
    ["/v1/users", "/v1/courses", "/v1/enrollments", "/v1/clients", "/v1/certificates"]
        .iter()
        .map(|path| Value::from(app.admin().all(path)))
        .collect()
}

#[track_caller]
fn refused(what: &str, answer: &Answer) {
    let form = if answer.of_scim() { "application/scim+json" } else { "application/problem+json" };
    let problem = answer.header("content-type").is_some_and(|t| t.starts_with(form));
    assert!((400..500).contains(&answer.status) && problem, "{what}: {} {}", answer.status, answer.text());
}

/// Operations with a JSON body, with their path filled.
fn with_body(app: &TestApp) -> Vec<(String, String)> {
    operations()
        .into_iter()
        .filter(|(_, _, op)| {
            op.pointer("/requestBody/content")
                .and_then(Value::as_object)
                .is_some_and(|c| c.keys().any(|k| k.contains("json")))
        })
        .map(|(method, path, _)| (method.to_uppercase(), fill(app, &path)))
        .collect()
}

both! {
    fn bodies_that_are_no_json_of_the_right_shape(app) {
        let admin = set_up(app);
        let before = everything(app);
        let deep = "[".repeat(100_000);
        for (method, path) in with_body(app) {
            let json = [("content-type", "application/json")];
            let tries: [(&str, &[u8]); 9] = [
                ("broken UTF-8", b"{\"title\": \"\xff\xfe\"}"), ("cut off", b"{\"title\": "), ("no JSON", b"title=x"), ("a list", b"[]"), ("a text", b"\"x\""),
                ("null", b"null"), ("an unknown field", b"{\"no_such_field\": 1}"), ("a number", b"17"), ("deep nesting", deep.as_bytes()),
            ];
            for (what, body) in tries {
                refused(&format!("{method} {path}, {what}"), &admin.send(&method, &path, &json, Some(body)));
            }
            let unknown = admin.send(&method, &path, &json, Some(b"{\"no_such_field\": 1}"));
            // What is not there cannot be changed, whatever the body says.
            // A package of others has members that we do not know; an import tells what it leaves out.
            if unknown.status == 422 && unknown["code"] == "validation_failed" && path != "/v1/frameworks/import" {
                assert!(unknown.text().contains("no_such_field") || unknown.text().contains("unknown"), "{method} {path}: {}", unknown.text());
            }
            refused("media type", &admin.send(&method, &path, &[("content-type", "text/xml")], Some(b"<x/>")).expect(415));
            let patch = [("content-type", "application/json-patch+json")];
            refused("JSON Patch", &admin.send(&method, &path, &patch, Some(b"[]")).expect(415));
        }
        assert_eq!(everything(app), before);
    }

    fn bodies_that_are_too_large(app) {
        let admin = set_up(app);
        let large = format!("{{\"title\": \"{}\"}}", "x".repeat(10 << 20));
        // The HR sync and the import of frameworks take whole lists and have limits of their own.
        for (method, path) in with_body(app).into_iter().filter(|(_, path)| path != "/v1/sync/plans" && path != "/v1/frameworks/import") {
            let answer = admin.send(&method, &path, &[("content-type", "application/json")], Some(large.as_bytes()));
            if answer.of_scim() {
                answer.scim_error(413, None);
            } else {
                answer.problem(413, "body_too_large");
            }
        }
        admin.get("/v1/me").expect(200);
    }

    fn wrong_types_in_every_field(app) {
        let admin = set_up(app);
        let before = everything(app);
        let document: Value = serde_json::from_str(cairn::http::openapi::text()).unwrap();
        for (method, path, op) in operations() {
            let Some(name) = op.pointer("/requestBody/content").and_then(Value::as_object).and_then(|c| {
                c.values().find_map(|m| m.pointer("/schema/$ref")?.as_str()?.strip_prefix("#/components/schemas/").map(str::to_owned))
            }) else { continue };
            let schema = &document["components"]["schemas"][&name];
            let Some(example) = schema.get("example").and_then(Value::as_object) else { continue };
            for field in example.keys() {
                for wrong in [json!({"a": [1]}), json!([[[]]]), json!("a\u{0}b"), json!(1e300)] {
                    let mut body = Value::Object(example.clone());
                    if body[field].is_object() && wrong.is_object() || body[field].is_array() && wrong.is_array() {
                        continue;
                    }
                    body[field] = wrong.clone();
                    let answer = admin.call(&method.to_uppercase(), &fill(app, &path), Some(body), &[]);
                    refused(&format!("{method} {path} {field}: {wrong}"), &answer);
                }
            }
        }
        assert_eq!(everything(app), before);
    }

    fn paths_and_queries_full_of_nonsense(app) {
        let admin = set_up(app);
        for (method, path, _) in operations().into_iter().filter(|(method, path, _)| method == "get" && path.starts_with("/v1")) {
            for nonsense in ["%00", "..%2f..", "%ff", "'%20OR%201=1--", "ext:", "ext:%00", &"x".repeat(3000)] {
                let mut filled = path.clone();
                while let (Some(from), Some(to)) = (filled.find('{'), filled.find('}')) {
                    filled.replace_range(from..=to, nonsense);
                }
                if filled != path {
                    refused(&format!("{method} {filled}"), &admin.get(&filled));
                }
            }
            let filled = fill(app, &path);
            for query in ["?no_such_parameter=1", "?%00=1", "?limit=-1", "?limit=999999999999999999999", "?after=%00", "?=&&==", "?limit"] {
                let answer = admin.get(&format!("{filled}{query}"));
                assert!(answer.status < 500, "GET {filled}{query}: {}", answer.text());
            }
        }
    }

    fn every_secured_operation_asks_for_a_token(app) {
        set_up(app);
        for (method, path, op) in operations() {
            let secured = op["security"].as_array().is_some_and(|s| !s.is_empty());
            if secured {
                let answer = app.anyone().call(&method.to_uppercase(), &fill(app, &path), Some(json!({})), &[]);
                assert_eq!(answer.status, 401, "{method} {path}: {}", answer.text());
            }
        }
    }
}
