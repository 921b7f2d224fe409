//! Resources as clients send them, made canonical: names in the case of the schema, values of the right kind, nothing that is
//! read-only, nothing empty (RFC 7643 §2.5). Every fault is named at once.

use serde_json::{Map, Value};

use super::attribute::{Attribute, Kind, Mutability, find};
use super::schemas::{COMMON, ResourceType, Schema};
use super::{ErrorType, Fault, Outcome};

/// What begins the URIs that Microsoft Entra names beside the schemas of a resource; it has no attributes of them.
const ENTRA: &str = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/";

/// Makes a whole resource canonical.
///
/// # Errors
/// `invalidSyntax` for what is no such resource, `invalidValue` for wrong or missing values.
pub fn resource(sent: &Map<String, Value>, of: &ResourceType) -> Outcome<Map<String, Value>> {
    let mut faults = Vec::new();
    let mut out = Map::new();
    schemas(sent, of, &mut faults);
    for (name, value) in sent {
        if name.eq_ignore_ascii_case("schemas") {
            continue;
        }
        if let Some(extension) = of.extension(name) {
            match value {
                Value::Null => {}
                Value::Object(members) => {
                    let inner = members_of(members, extension, name, &mut faults);
                    if !inner.is_empty() {
                        insert(&mut out, extension.id, Value::Object(inner), name, &mut faults);
                    }
                }
                _ => faults.push(format!("{name}: an object is needed")),
            }
            continue;
        }
        match of.attribute(name) {
            Some(attribute) => {
                if let Some(value) = value_of(attribute, value, name, &mut faults) {
                    insert(&mut out, attribute.name, value, name, &mut faults);
                }
            }
            None => faults.push(format!("{name}: there is no such attribute")),
        }
    }
    if !faults.is_empty() {
        return Err(Fault::new(ErrorType::InvalidSyntax, faults.join("; ")));
    }
    complete(&out, of)?;
    Ok(out)
}

/// Asks for what must be there.
///
/// # Errors
/// `invalidValue` naming every missing attribute.
pub fn complete(resource: &Map<String, Value>, of: &ResourceType) -> Outcome<()> {
    let missing: Vec<&str> = of
        .core
        .attributes
        .iter()
        .filter(|a| {
            a.required && resource.get(a.name).is_none_or(|v| v.as_str().is_some_and(|text| text.trim().is_empty()))
        })
        .map(|a| a.name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Fault::new(ErrorType::InvalidValue, format!("A value is needed for {}.", missing.join(", "))))
}

fn schemas(sent: &Map<String, Value>, of: &ResourceType, faults: &mut Vec<String>) {
    let given = sent.iter().find(|(name, _)| name.eq_ignore_ascii_case("schemas")).map(|(_, value)| value);
    let Some(Value::Array(given)) = given else {
        faults.push(format!("schemas: a list with {} is needed", of.core.id));
        return;
    };
    let known =
        |uri: &str| uri.eq_ignore_ascii_case(of.core.id) || of.extension(uri).is_some() || uri.starts_with(ENTRA);
    for uri in given {
        if !uri.as_str().is_some_and(known) {
            faults.push(format!("schemas: {uri} is no schema of a {}", of.name));
        }
    }
    if !given.iter().filter_map(Value::as_str).any(|uri| uri.eq_ignore_ascii_case(of.core.id)) {
        faults.push(format!("schemas: {} is needed", of.core.id));
    }
}

fn members_of(members: &Map<String, Value>, of: &Schema, at: &str, faults: &mut Vec<String>) -> Map<String, Value> {
    let mut out = Map::new();
    for (name, value) in members.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("schemas")) {
        let at = format!("{at}:{name}");
        match find(&of.attributes, name) {
            Some(attribute) => {
                if let Some(value) = value_of(attribute, value, &at, faults) {
                    insert(&mut out, attribute.name, value, &at, faults);
                }
            }
            None => faults.push(format!("{at}: there is no such attribute")),
        }
    }
    out
}

fn insert(out: &mut Map<String, Value>, name: &str, value: Value, at: &str, faults: &mut Vec<String>) {
    if out.insert(name.to_owned(), value).is_some() {
        faults.push(format!("{at}: it is given twice"));
    }
}

/// One attribute's value made canonical; `None` when there is nothing to keep.
pub(super) fn value_of(attribute: &Attribute, value: &Value, at: &str, faults: &mut Vec<String>) -> Option<Value> {
    if attribute.mutability == Mutability::ReadOnly || value.is_null() {
        return None;
    }
    if !attribute.multi {
        return single(attribute, value, at, faults);
    }
    // A lone element is taken for a list of one: some clients send it so.
    let items = match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let kept: Vec<Value> = items
        .iter()
        .enumerate()
        .filter_map(|(n, item)| single(attribute, item, &format!("{at}[{n}]"), faults))
        .collect();
    if kept.iter().filter(|item| item.get("primary") == Some(&Value::Bool(true))).count() > 1 {
        faults.push(format!("{at}: at most one element may be primary"));
    }
    (!kept.is_empty()).then_some(Value::Array(kept))
}

/// Most characters of a text.
#[must_use]
pub fn max_length(kind: Kind) -> usize {
    if kind == Kind::Binary { 20_000 } else { 2_000 }
}

fn single(attribute: &Attribute, value: &Value, at: &str, faults: &mut Vec<String>) -> Option<Value> {
    match (attribute.kind, value) {
        (_, Value::Null) => None,
        (Kind::Complex, Value::Object(members)) => parts(attribute, members, at, faults),
        // Entra sends the manager, and some clients list elements, as a bare value.
        (Kind::Complex, Value::String(text)) if attribute.part("value").is_some() => {
            (!text.is_empty()).then(|| Value::Object(Map::from_iter([("value".to_owned(), value.clone())])))
        }
        (Kind::Complex, _) => wrong(at, "an object is needed", faults),
        (Kind::Boolean, Value::Bool(_)) => Some(value.clone()),
        (Kind::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
        (Kind::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
        (Kind::Boolean, _) => wrong(at, "true or false is needed", faults),
        (Kind::DateTime, Value::String(text)) if chrono::DateTime::parse_from_rfc3339(text).is_err() => {
            wrong(at, "an instant (RFC 3339) is needed", faults)
        }
        (_, Value::String(text)) if text.contains('\0') => wrong(at, "text must not contain U+0000", faults),
        (_, Value::String(text)) if text.chars().count() > max_length(attribute.kind) => {
            wrong(at, &format!("a text has at most {} characters", max_length(attribute.kind)), faults)
        }
        (_, Value::String(_)) => Some(value.clone()),
        _ => wrong(at, "a text is needed", faults),
    }
}

fn parts(attribute: &Attribute, members: &Map<String, Value>, at: &str, faults: &mut Vec<String>) -> Option<Value> {
    let mut out = Map::new();
    for (name, value) in members {
        let at = format!("{at}.{name}");
        match attribute.part(name) {
            Some(part) => {
                if let Some(value) = value_of(part, value, &at, faults) {
                    insert(&mut out, part.name, value, &at, faults);
                }
            }
            None => faults.push(format!("{at}: there is no such attribute")),
        }
    }
    (!out.is_empty()).then_some(Value::Object(out))
}

fn wrong(at: &str, what: &str, faults: &mut Vec<String>) -> Option<Value> {
    faults.push(format!("{at}: {what}"));
    None
}

/// The `schemas` of a canonical resource: its core schema and those of its extensions that it has values of.
#[must_use]
pub fn schemas_of(resource: &Map<String, Value>, of: &ResourceType) -> Value {
    let extensions = of.extensions.iter().filter(|e| resource.contains_key(e.id)).map(|e| e.id);
    std::iter::once(of.core.id).chain(extensions).map(Value::from).collect()
}

/// Whether all resources have this attribute and the server alone sets it.
#[must_use]
pub fn is_server_set(name: &str) -> bool {
    find(&COMMON, name).is_some_and(|attribute| attribute.mutability == Mutability::ReadOnly)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::schemas::{ENTERPRISE, USER, USERS};
    use super::*;

    fn read(sent: &Value) -> Outcome<Value> {
        resource(sent.as_object().unwrap(), &USERS).map(Value::Object)
    }

    #[test]
    fn names_get_their_case_and_what_is_read_only_or_empty_goes() {
        let sent = json!({"schemas": [USER, ENTERPRISE.to_uppercase()], "USERNAME": "ada", "id": "x", "meta": {}, "groups": [{"value": "g"}],
            "Active": "True", "emails": {"VALUE": "a@b"}, "nickName": null, "phoneNumbers": [],
            ENTERPRISE: {"Department": "Sales", "manager": "42"}});
        assert_eq!(
            read(&sent).unwrap(),
            json!({"userName": "ada", "active": true, "emails": [{"value": "a@b"}],
                ENTERPRISE: {"department": "Sales", "manager": {"value": "42"}}})
        );
    }

    #[test]
    fn every_fault_is_named() {
        let sent = json!({"schemas": ["urn:x"], "userName": 3, "Title": "a", "title": "b", "active": "maybe", "shoeSize": 44,
            "emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true, "colour": "red"}], "name": "Ada"});
        let fault = read(&sent).unwrap_err();
        for part in ["urn:x", "userName", "given twice", "active", "shoeSize", "primary", "emails[1].colour", "name"] {
            assert!(fault.detail.contains(part), "{part} in {}", fault.detail);
        }
        assert_eq!(read(&json!({"schemas": [USER], "userName": " "})).unwrap_err().kind, ErrorType::InvalidValue);
    }
}
