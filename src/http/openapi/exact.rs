//! Makes the schemas say exactly what is accepted, where the derived ones say more or less: tagged variants, contents by kind,
//! ranges of integers, texts without U+0000, query parameters of pages.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::db::page::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::http::shapes;

const PREFIX: &str = "#/components/schemas/";

/// Makes the whole document exact.
pub(super) fn complete(document: &mut Value) {
    describe_inlined(document);
    tag_variants(document);
    split_modules(document);
    let sent = sent_schemas(document);
    if let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        for (name, schema) in schemas.iter_mut() {
            if sent.contains(name) {
                narrow(schema);
            }
        }
    }
    let optional = all_optional(document);
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        for operation in paths.values_mut().filter_map(|path| path.get_mut("post")) {
            let body = operation.pointer("/requestBody/content/application~1json/schema").and_then(component);
            if body.is_some_and(|name| optional.contains(name)) {
                operation["requestBody"]["required"] = Value::from(false);
            }
        }
        for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
            if let Some(parameters) = operation.get_mut("parameters").and_then(Value::as_array_mut) {
                parameters.iter_mut().filter(|p| p["in"] == "query").for_each(query_parameter);
            }
        }
    }
}

/// The described value of an inlined variant is derived as `allOf: [itself, {description, type: object}]`, which no number fits.
fn describe_inlined(value: &mut Value) {
    if let Some([own, said]) = value.get("allOf").and_then(Value::as_array).map(Vec::as_slice)
        && let (Some(own), Some(said)) = (own.as_object(), said.as_object())
        && said.len() == 2
        && said.get("type").is_some_and(|kind| kind == "object")
        && let (Some(description), false) = (said.get("description"), own.contains_key("$ref"))
    {
        let mut own = own.clone();
        own.insert("description".into(), description.clone());
        *value = Value::Object(own);
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(describe_inlined),
        Value::Object(members) => members.values_mut().for_each(describe_inlined),
        _ => {}
    }
}

/// Objects that need no field: the POST that takes one may be called without a body.
fn all_optional(document: &Value) -> BTreeSet<String> {
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
    let needs_nothing = |schema: &Value| schema["type"] == "object" && schema.get("required").is_none();
    schemas.into_iter().flatten().filter(|(_, schema)| needs_nothing(schema)).map(|(name, _)| name.clone()).collect()
}

fn component(reference: &Value) -> Option<&str> {
    reference.get("$ref")?.as_str()?.strip_prefix(PREFIX)
}

/// A tagged enum is derived as `allOf: [the variant, {tag}]`, which no value fits when the variant refuses unknown fields. The
/// tag moves into the variant, and the enum gets a discriminator.
fn tag_variants(document: &mut Value) {
    let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) else { return };
    let names: Vec<String> = schemas.keys().cloned().collect();
    for name in names {
        let Some(variants) = schemas.get(&name).and_then(|s| s.get("oneOf")).and_then(Value::as_array) else {
            continue;
        };
        let tagged: Option<Vec<(String, String, String)>> = variants.iter().map(tagged_variant).collect();
        let Some(tagged) = tagged.filter(|all| !all.is_empty()) else { continue };
        let mut mapping = Map::new();
        let mut refs = Vec::new();
        for (variant, tag, value) in &tagged {
            if let Some(schema) = schemas.get_mut(variant) {
                schema["properties"][tag] = json!({"type": "string", "enum": [value]});
                let mut required = schema["required"].as_array().cloned().unwrap_or_default();
                required.insert(0, Value::from(tag.as_str()));
                schema["required"] = Value::Array(required);
            }
            mapping.insert(value.clone(), Value::from(format!("{PREFIX}{variant}")));
            refs.push(json!({"$ref": format!("{PREFIX}{variant}")}));
        }
        if let (Some(schema), Some((_, tag, _))) = (schemas.get_mut(&name), tagged.first()) {
            schema["oneOf"] = Value::Array(refs);
            schema["discriminator"] = json!({"propertyName": tag, "mapping": mapping});
        }
    }
}

/// The component, tag and tag's value of a variant of a tagged enum.
fn tagged_variant(variant: &Value) -> Option<(String, String, String)> {
    let [of, tag] = variant.get("allOf")?.as_array()?.as_slice() else { return None };
    let (name, value) = tag.get("properties")?.as_object()?.iter().next()?;
    let value = value.get("enum")?.as_array()?.first()?.as_str()?;
    Some((component(of)?.to_owned(), name.clone(), value.to_owned()))
}

/// Which content goes with which kinds of module.
const CONTENTS: [(&str, &str, &[&str]); 6] = [
    ("VideoModule", "VideoContent", &["video"]),
    ("TextModule", "TextContent", &["article", "case_study", "simulation", "assignment"]),
    ("ResourceModule", "ResourceContent", &["file", "link"]),
    ("QuizModule", "QuizContent", &["quiz"]),
    ("DiscussionModule", "DiscussionContent", &["discussion"]),
    ("LiveSessionModule", "LiveSessionContent", &["live_session"]),
];

/// `Module` becomes one schema per shape of its content, so that clients can tell them apart by `kind`; its patch is any part of one.
fn split_modules(document: &mut Value) {
    let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) else { return };
    let Some(module) = schemas.get("Module").cloned() else { return };
    let mut mapping = Map::new();
    let mut refs = Vec::new();
    for (name, content, kinds) in CONTENTS {
        let mut one = module.clone();
        one["description"] = Value::from(format!("A module whose content is {content}."));
        one["properties"]["kind"] = json!({"type": "string", "enum": kinds, "description": "What it is."});
        one["properties"]["content"] = json!({"$ref": format!("{PREFIX}{content}")});
        schemas.insert(name.to_owned(), one);
        refs.push(json!({"$ref": format!("{PREFIX}{name}")}));
        for kind in kinds {
            mapping.insert((*kind).to_owned(), Value::from(format!("{PREFIX}{name}")));
        }
    }
    schemas.insert("ModulePatch".into(), patch_of(&module));
    let description = module["description"].clone();
    schemas.insert(
        "Module".into(),
        json!({"description": description, "oneOf": refs, "discriminator": {"propertyName": "kind", "mapping": mapping}}),
    );
}

/// Any part of a module; null takes away what need not be there.
fn patch_of(module: &Value) -> Value {
    let needed: Vec<&str> = module["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut properties = module["properties"].as_object().cloned().unwrap_or_default();
    for (name, schema) in &mut properties {
        if name == "content" {
            *schema = json!({"type": "object", "description": "Merged into the content: null takes a member away."});
        } else if !needed.contains(&name.as_str()) {
            *schema = json!({"anyOf": [schema.clone(), {"type": "null"}]});
        }
    }
    json!({
        "type": "object",
        "description": "A merge patch (RFC 7396) of one module, checked against the module that it makes.",
        "properties": properties,
        "additionalProperties": false,
        "example": {"title": "A better title", "estimated_seconds": 300},
    })
}

/// The components that requests are made of.
fn sent_schemas(document: &Value) -> BTreeSet<String> {
    let mut waiting = Vec::new();
    if let Some(paths) = document.get("paths").and_then(Value::as_object) {
        for operation in paths.values().filter_map(Value::as_object).flat_map(Map::values) {
            references(&operation["requestBody"], &mut waiting);
            references(&operation["parameters"], &mut waiting);
        }
    }
    let mut found = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        if let Some(schema) = document.pointer(&format!("/components/schemas/{name}"))
            && found.insert(name)
        {
            references(schema, &mut waiting);
        }
    }
    found
}

fn references(value: &Value, into: &mut Vec<String>) {
    into.extend(component(value).map(str::to_owned));
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, into)),
        Value::Object(members) => members.values().for_each(|member| references(member, into)),
        _ => {}
    }
}

fn is_type(schema: &Map<String, Value>, name: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(one)) => one == name,
        Some(Value::Array(many)) => many.iter().any(|one| one == name),
        _ => false,
    }
}

/// Says of texts that they have no U+0000, of integers how large they may be, and of objects that they have no other fields.
fn narrow(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(narrow),
        Value::Object(schema) => {
            let free = !["pattern", "format", "enum", "const"].iter().any(|key| schema.contains_key(*key));
            if free && is_type(schema, "string") {
                schema.insert("pattern".into(), Value::from(shapes::ANY));
            }
            if is_type(schema, "integer") {
                let unsigned = schema.get("minimum").and_then(Value::as_f64) == Some(0.0);
                // The formats are signed; inputs of unsigned types read no more than these hold (`domain::bounds`).
                let (least, most) = match schema.get("format").and_then(Value::as_str) {
                    Some("int32") => (Value::from(i32::MIN), Value::from(i32::MAX)),
                    _ => (Value::from(i64::MIN), Value::from(i64::MAX)),
                };
                schema.entry("minimum").or_insert(if unsigned { Value::from(0) } else { least });
                schema.entry("maximum").or_insert(most);
            }
            // No input ignores a field that it does not know.
            if schema.get("properties").is_some_and(Value::is_object) {
                schema.entry("additionalProperties").or_insert(Value::from(false));
            }
            for (key, member) in schema.iter_mut() {
                if !matches!(key.as_str(), "example" | "examples" | "default" | "enum") {
                    narrow(member);
                }
            }
        }
        _ => {}
    }
}

fn query_parameter(parameter: &mut Value) {
    let name = parameter["name"].as_str().unwrap_or_default().to_owned();
    let schema = &mut parameter["schema"];
    // A query parameter is absent or has a value; null cannot be sent.
    if let Some(types) = schema.get("type").and_then(Value::as_array).cloned() {
        let kept: Vec<Value> = types.into_iter().filter(|t| t != "null").collect();
        if let [only] = kept.as_slice() {
            schema["type"] = only.clone();
        }
    }
    let only = schema.get("oneOf").and_then(Value::as_array).and_then(|all| match all.as_slice() {
        [one, null] | [null, one] if null["type"] == "null" => Some(one.clone()),
        _ => None,
    });
    if let Some(only) = only {
        *schema = only;
    }
    match name.as_str() {
        "limit" => *schema = json!({"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}),
        // A leaderboard's says so itself.
        "after" if schema["pattern"].is_null() => schema["pattern"] = Value::from("^[A-Za-z0-9_-]{21}[AQgw]$"),
        "after" => {}
        _ => narrow(schema),
    }
}
