//! An example for every answer. Where a type has none of its own, it is put together from those of its parts, so that a list shows
//! the item that its type shows.

use serde_json::{Map, Value, json};

/// Parts within parts that are still shown.
const DEPTH: usize = 12;

/// Puts an example beside the schema of each successful JSON answer that has none.
pub(super) fn complete(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else { return };
    let operations = paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut);
    for operation in operations {
        let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { continue };
        for (_, response) in responses.iter_mut().filter(|(status, _)| status.starts_with('2')) {
            let Some(content) = response.get_mut("content").and_then(Value::as_object_mut) else { continue };
            for (_, media) in content.iter_mut().filter(|(kind, _)| kind.contains("json")) {
                if media.get("example").is_some() || media.get("examples").is_some() {
                    continue;
                }
                if let Some(example) = media.get("schema").and_then(|schema| of(schema, &schemas, "", 0)) {
                    media["example"] = example;
                }
            }
        }
    }
}

/// The example of a schema; `name` is the member's that has it.
fn of(schema: &Value, schemas: &Value, name: &str, depth: usize) -> Option<Value> {
    if depth > DEPTH {
        return None;
    }
    if let Some(own) = schema.get("example").or_else(|| schema.pointer("/examples/0")).or_else(|| schema.get("const")) {
        return Some(own.clone());
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next()) {
        return of(schemas.get(target)?, schemas, name, depth.saturating_add(1));
    }
    if let Some(first) = schema.pointer("/enum/0") {
        return Some(first.clone());
    }
    for union in ["oneOf", "anyOf"] {
        if let Some(parts) = schema.get(union).and_then(Value::as_array) {
            let some = parts.iter().filter(|part| part.get("type").and_then(Value::as_str) != Some("null"));
            return some.into_iter().find_map(|part| of(part, schemas, name, depth.saturating_add(1)));
        }
    }
    if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
        let mut all = Map::new();
        for part in parts {
            if let Some(Value::Object(members)) = of(part, schemas, name, depth.saturating_add(1)) {
                all.extend(members);
            }
        }
        return Some(Value::Object(all));
    }
    match kind(schema) {
        "object" => Some(object(schema, schemas, depth)),
        "array" => {
            let item = schema.get("items").and_then(|items| of(items, schemas, name, depth.saturating_add(1)));
            Some(Value::Array(item.into_iter().collect()))
        }
        kind => plain(kind, schema, name),
    }
}

/// The kind of value, null left out.
fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(one)) => one,
        Some(Value::Array(many)) => {
            many.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null")
        }
        _ if schema.get("properties").is_some() => "object",
        _ => "",
    }
}

fn object(schema: &Value, schemas: &Value, depth: usize) -> Value {
    let mut members = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    for (name, property) in properties {
        // The one page that is shown is the last one.
        let value = if name == "next" && kind(property) == "string" {
            Some(Value::Null)
        } else {
            of(property, schemas, name, depth.saturating_add(1))
        };
        members.extend(value.map(|value| (name.clone(), value)));
    }
    Value::Object(members)
}

fn plain(kind: &str, schema: &Value, name: &str) -> Option<Value> {
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    Some(match (kind, format) {
        ("boolean", _) => json!(true),
        ("integer", _) => schema.get("minimum").filter(|least| least.as_i64() != Some(0)).cloned().unwrap_or(json!(1)),
        ("number", _) => {
            schema.get("minimum").filter(|least| least.as_f64() > Some(0.0)).cloned().unwrap_or(json!(50.0))
        }
        ("string", "date-time") => json!("2026-11-23T09:00:00Z"),
        ("string", "date") => json!("2026-11-23"),
        ("string", "uuid") => json!("0199c0de-0000-7000-8000-000000000000"),
        ("string", "uri" | "uri-reference") => json!("https://learn.example.org/a"),
        ("string", "email") => json!("ada@example.org"),
        ("string", _) => json!(match name {
            "key" | "module" | "module_key" => "welcome",
            "stage" => "start",
            "branch" | "branches" => "case",
            "title" | "summary" => "Welcome to working apart",
            "name" | "display_name" => "Sales",
            "given_name" => "Ada",
            "family_name" => "Lovelace",
            "serial" => "7Q2M-XK4D-9TRB-W3HN",
            _ => "text",
        }),
        ("null", _) => Value::Null,
        _ => return None,
    })
}
