//! The document is the code's, committed, complete, and says nothing that the server does not do.

use std::collections::HashSet;
use std::path::Path;

use crate::support::{Value, json};

/// Operations that anyone may call.
pub const PUBLIC: &[&str] = &[
    "create_session",
    "introspect_token",
    "revoke_token",
    "get_badge_image",
    "refresh_session",
    "create_token",
    "get_jwks",
    "get_authorization_server",
    "get_health",
    "get_readiness",
    "get_metrics",
    "get_openapi",
    "verify_certificate",
];

fn document() -> Value {
    serde_json::from_str(cairn::http::openapi::text()).unwrap()
}

/// Every operation: method, path, and itself.
pub fn operations() -> Vec<(String, String, Value)> {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(move |(method, op)| (method.clone(), path.clone(), op.clone()))
        })
        .filter(|(method, ..)| ["get", "post", "put", "patch", "delete"].contains(&method.as_str()))
        .collect()
}

#[test]
fn the_committed_document_is_the_code_s() {
    let committed =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/cairn.json")).unwrap_or_default();
    assert!(committed == cairn::app::document(), "run: cargo run -- openapi > openapi/cairn.json");
}

#[test]
fn every_operation_says_what_it_is() {
    let mut faults = Vec::new();
    let mut ids = HashSet::new();
    let operations = operations();
    for (method, path, op) in operations.iter().cloned() {
        let id = op["operationId"].as_str().unwrap_or_default().to_owned();
        let mut fault = |what: String| faults.push(format!("{method} {path} ({id}): {what}"));
        if !id.contains('_') || id.chars().any(|c| !(c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())) {
            fault("operationId is no verb_noun".into());
        }
        if !ids.insert(id.clone()) {
            fault("operationId stands twice".into());
        }
        if op["summary"].as_str().is_none_or(|s| s.is_empty() || s.len() > 80 || s.contains('\n')) {
            fault(format!("summary: {}", op["summary"]));
        }
        if op["description"].as_str().is_none_or(|d| d.trim().len() < 10) {
            fault("no description".into());
        }
        if op["tags"].as_array().is_none_or(|t| t.len() != 1) {
            fault("needs one tag".into());
        }
        let secured = op["security"].as_array().is_some_and(|s| !s.is_empty());
        if secured == PUBLIC.contains(&id.as_str()) {
            fault(format!("secured: {secured}"));
        }
        let responses = op["responses"].as_object().unwrap();
        let mut needed = vec!["500", "503"];
        if secured {
            needed.extend(["401", "403"]);
        }
        if path.contains('{') {
            needed.push("404");
        }
        if op.get("requestBody").is_some() {
            // SCIM tells of wrong input with 400.
            let wrong = if path.starts_with("/scim") { "400" } else { "422" };
            needed.extend(["400", "413", "415", wrong].iter().filter(|_| !path.starts_with("/oauth")));
        }
        // What has no tag that could be read promises nothing, and whatever promises to look at one can refuse.
        let conditional = op["description"].as_str().is_some_and(|d| d.contains("Honours `If-Match`."));
        if conditional != responses.contains_key("412") {
            fault(format!("If-Match: {conditional}, but 412: {}", !conditional));
        }
        let changes = matches!(method.as_str(), "put" | "patch" | "delete");
        let read = operations.iter().find(|(other, place, _)| other == "get" && *place == path).map(|(.., get)| get);
        let tagged = read.is_some_and(|get| !get["responses"]["200"]["headers"]["ETag"].is_null());
        if changes && tagged && !conditional {
            fault("does not honour the ETag of what it changes".into());
        }
        for status in needed.into_iter().filter(|status| !responses.contains_key(*status)) {
            fault(format!("does not list {status}"));
        }
        // Tokens are not kept for a retry; whoever lost one asks for the next.
        let tokens = ["create_session", "refresh_session", "create_token", "introspect_token", "revoke_token"]
            .contains(&id.as_str());
        let takes_key = op["description"].as_str().is_some_and(|d| d.contains("Takes `Idempotency-Key`."));
        if takes_key != (method == "post" && !tokens && !path.ends_with("/.search")) {
            fault(format!("Idempotency-Key: {takes_key}"));
        }
        // What stands in words stands among the parameters too, where a generated client looks for it.
        let told = op["description"].as_str().unwrap_or_default();
        for (name, words) in [
            ("IdempotencyKey", "Takes `Idempotency-Key`."),
            ("IfMatch", "Honours `If-Match`."),
            ("IfNoneMatch", "Honours `If-None-Match`."),
        ] {
            let reference = json!({"$ref": format!("#/components/parameters/{name}")});
            let named = op["parameters"].as_array().is_some_and(|list| list.contains(&reference));
            if named != told.contains(words) {
                fault(format!("{name} among the parameters: {named}"));
            }
        }
        let strict = path.starts_with("/v1/");
        if strict && !responses.contains_key("422") || strict && method != "get" && !responses.contains_key("400") {
            fault("does not list what is refused of every operation".into());
        }
        if method == "get" && !strict && !path.starts_with("/scim") && responses.contains_key("422") {
            fault("lists 422, but takes whatever query comes".into());
        }
        for parameter in op["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] == "query" && parameter["description"].as_str().is_none_or(str::is_empty) {
                fault(format!("parameter {} is not described", parameter["name"]));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_body_has_an_example_that_fits_its_schema() {
    let document = document();
    let mut faults = Vec::new();
    for (method, path, op) in operations() {
        let Some(content) = op.pointer("/requestBody/content").and_then(Value::as_object) else { continue };
        for (kind, media) in content.iter().filter(|(kind, _)| kind.contains("json")) {
            let Some(name) = media
                .pointer("/schema/$ref")
                .and_then(Value::as_str)
                .and_then(|r| r.strip_prefix("#/components/schemas/"))
            else {
                faults.push(format!("{method} {path}: {kind} has no named schema"));
                continue;
            };
            let schema = &document["components"]["schemas"][name];
            let example = media.get("example").or(schema.get("example")).or_else(|| schema.pointer("/examples/0"));
            let example = example.cloned().or_else(|| {
                // A choice of shapes may have its example with one of them.
                schema["oneOf"].as_array()?.iter().find_map(|one| {
                    let name = one["$ref"].as_str()?.strip_prefix("#/components/schemas/")?;
                    document["components"]["schemas"][name].get("example").cloned()
                })
            });
            let Some(example) = example else {
                faults.push(format!("{method} {path}: {name} has no example"));
                continue;
            };
            let whole = json!({"$ref": format!("#/components/schemas/{name}"), "components": {"schemas": document["components"]["schemas"]}});
            let validator = jsonschema::validator_for(&whole).unwrap();
            if let Err(error) = validator.validate(&example) {
                faults.push(format!("{method} {path}: the example of {name}: {error}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn header_parameters_are_said_once_and_events_come_with_an_example() {
    let document = document();
    let of = |name: &str| document["components"]["parameters"][name].clone();
    for (component, header) in
        [("IdempotencyKey", "Idempotency-Key"), ("IfMatch", "If-Match"), ("IfNoneMatch", "If-None-Match")]
    {
        let parameter = of(component);
        assert_eq!((&parameter["name"], &parameter["in"]), (&json!(header), &json!("header")));
        assert_eq!(parameter["required"], false, "nobody has to send it");
    }
    let events = &document["components"]["schemas"]["EventsIn"];
    assert!(events["example"]["events"][0]["id"].is_string(), "{events}");
    let practice = &document["paths"]["/v1/enrollments/{enrollment_id}/practice"]["get"]["responses"];
    assert!(practice["409"].is_object());
}

#[test]
fn every_answer_has_an_example_that_fits_its_schema() {
    let document = document();
    let mut faults = Vec::new();
    for (method, path, op) in operations() {
        for (status, response) in op["responses"].as_object().unwrap().iter().filter(|(s, _)| s.starts_with('2')) {
            let Some(content) = response["content"].as_object() else { continue };
            for (kind, media) in content.iter().filter(|(kind, _)| kind.contains("json")) {
                let Some(example) = media.get("example") else {
                    faults.push(format!("{method} {path} {status}: {kind} has no example"));
                    continue;
                };
                let mut whole = media["schema"].clone();
                whole["components"] = json!({"schemas": document["components"]["schemas"]});
                if let Err(error) = jsonschema::validator_for(&whole).unwrap().validate(example) {
                    faults.push(format!("{method} {path} {status}: {error} at {}", error.instance_path()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_bound_is_beyond_what_its_format_holds() {
    fn walk(value: &Value, at: &str, found: &mut Vec<String>) {
        if let Value::Object(schema) = value {
            let whole = schema.get("type").is_some_and(|kind| kind.to_string().contains("\"integer\""));
            let (least, most) = match schema.get("format").and_then(Value::as_str) {
                Some("int32") => (i64::from(i32::MIN), i64::from(i32::MAX)),
                _ => (i64::MIN, i64::MAX),
            };
            // As numbers of f64 the bounds of int64 could not be told from those above.
            let held = |bound: &Value| bound.is_null() || bound.as_i64().is_some_and(|n| (least..=most).contains(&n));
            let bound = |name: &str| schema.get(name).cloned().unwrap_or_default();
            if whole && !(held(&bound("minimum")) && held(&bound("maximum"))) {
                found.push(at.to_owned());
            }
        }
        match value {
            Value::Array(items) => items.iter().for_each(|item| walk(item, at, found)),
            Value::Object(members) => {
                members.iter().for_each(|(name, member)| walk(member, &format!("{at}/{name}"), found))
            }
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    walk(&document, "", &mut found);
    assert!(found.is_empty(), "{found:?}");
    let schema = |at: &str| document.pointer(&format!("/components/schemas/{at}")).unwrap().clone();
    let bounds = |at: &str| {
        let schema = schema(at);
        (schema["minimum"].clone(), schema["maximum"].clone())
    };
    assert_eq!(bounds("GameLevel/properties/points"), (json!(0), json!(1_000_000_000)));
    assert_eq!(bounds("LeagueRules/properties/promote"), (json!(0), json!(1000)));
    assert_eq!(bounds("TeamScore/oneOf/2/properties/top_k"), (json!(1), json!(1000)));
    assert_eq!(bounds("Step/oneOf/6/properties/advance_seconds"), (json!(0), json!(3_153_600_000_u64)));
    assert_eq!(bounds("ElapsedLeaf/properties/at_least_seconds"), (json!(0), json!(i64::MAX)));
    let league = operations().into_iter().find(|(.., op)| op["operationId"] == "get_league").unwrap().2;
    let group = league["parameters"].as_array().unwrap().iter().find(|p| p["name"] == "group").unwrap().clone();
    assert_eq!(group["schema"]["minimum"], 0);
}

#[test]
fn every_reference_leads_somewhere_and_no_component_is_idle() {
    let document = document();
    let mut found = HashSet::new();
    fn walk(value: &Value, found: &mut HashSet<String>) {
        match value {
            Value::Object(members) => {
                if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                    found.insert(reference.trim_start_matches('#').to_owned());
                }
                members.values().for_each(|v| walk(v, found));
            }
            Value::Array(items) => items.iter().for_each(|v| walk(v, found)),
            _ => {}
        }
    }
    walk(&document, &mut found);
    let lost: Vec<&String> = found.iter().filter(|reference| document.pointer(reference).is_none()).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

both! {
    fn the_served_document_is_the_same(app) {
        assert_eq!(app.anyone().get("/openapi.json").expect(200).body, cairn::http::openapi::text().as_bytes());
    }
}
