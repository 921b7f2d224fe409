//! What linters and generators ask for, and a reader is glad of: where the server is, which operations need no log-in, and nothing
//! in the components that no operation leads to.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::METHODS;

/// Security schemes by the handlers' short name, and as the document calls them. Swagger UI lists them by name: what a stranger
/// wants comes first and says what it is.
const SCHEMES: [(&str, &str); 3] =
    [("user", "email_and_password"), ("client", "machine_client"), ("bearer", "pasted_token")];

/// Tidies the completed document.
pub(super) fn tidy(document: &mut Value) {
    document["servers"] = json!([{"url": "/", "description": "This server."}]);
    document["info"]["contact"] = json!({"name": "The Cairn contributors"});
    name_security(document);
    drop_unused(document);
}

/// Names the schemes in full. An operation without `security` is open to everyone; an empty list says so, instead of leaving it
/// to be guessed.
fn name_security(document: &mut Value) {
    if let Some(schemes) = document["components"].get_mut("securitySchemes").and_then(Value::as_object_mut) {
        rename(schemes);
    }
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else { return };
    for item in paths.values_mut() {
        for method in METHODS {
            let Some(operation) = item.get_mut(method).and_then(Value::as_object_mut) else { continue };
            let security = operation.entry("security").or_insert_with(|| json!([]));
            security.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut).for_each(rename);
        }
    }
}

fn rename(members: &mut Map<String, Value>) {
    for (short, full) in SCHEMES {
        if let Some(value) = members.remove(short) {
            members.insert(full.to_owned(), value);
        }
    }
}

/// Removes components until all that are left are referred to from somewhere else.
fn drop_unused(document: &mut Value) {
    loop {
        let mut used = BTreeSet::new();
        references(document, &mut used);
        let mut dropped = false;
        for kind in ["schemas", "responses", "headers", "parameters"] {
            if let Some(components) = document["components"].get_mut(kind).and_then(Value::as_object_mut) {
                let before = components.len();
                components.retain(|name, _| used.contains(&format!("#/components/{kind}/{name}")));
                dropped |= components.len() < before;
            }
        }
        if !dropped {
            return;
        }
    }
}

/// Every `$ref`, and what discriminators map to.
fn references(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.starts_with("#/components/") => {
            into.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, into)),
        Value::Object(members) => members.values().for_each(|member| references(member, into)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nothing_leads_to_goes_and_open_operations_say_so() {
        let mut document = json!({
            "info": {},
            "paths": {"/b": {"get": {"security": [{"user": []}]}}, "/a": {"get": {"responses": {"200": {"$ref": "#/components/responses/Used"}}}}},
            "components": {
                "responses": {"Used": {"schema": {"$ref": "#/components/schemas/Used"}}, "Unused": {"schema": {"$ref": "#/components/schemas/Chained"}}},
                "schemas": {"Used": {}, "Chained": {}},
            },
        });
        tidy(&mut document);
        assert_eq!(document["components"]["responses"].as_object().unwrap().len(), 1);
        assert_eq!(document["components"]["schemas"], json!({"Used": {}}));
        assert_eq!(document["paths"]["/a"]["get"]["security"], json!([]));
        assert_eq!(document["paths"]["/b"]["get"]["security"], json!([{"email_and_password": []}]));
    }
}
