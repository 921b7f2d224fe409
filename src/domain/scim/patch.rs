//! PATCH (RFC 7644 §3.5.2), with what Okta and Microsoft Entra are known to send: operations in any case, values without a path
//! whose keys are paths, booleans as text, `add` and `replace` on list elements that do not exist yet, `remove` with a value.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::attribute::{Attribute, Kind, Mutability};
use super::filter::{Filter, Op};
use super::path::{AttrPath, split_schema};
use super::schemas::ResourceType;
use super::{ErrorType, Fault, Outcome, input};

/// URI of the message.
pub const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// Operations in one PATCH at most.
pub const MAX_OPERATIONS: usize = 1_000;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Adds values.
    Add,
    /// Puts values in the place of others.
    Replace,
    /// Takes values away.
    Remove,
}

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// What it does.
    pub verb: Verb,
    /// Where; `None` for the whole resource.
    pub path: Option<Place>,
    /// With what.
    pub value: Value,
}

/// Where an operation works.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The attribute, with the sub-attribute behind the brackets.
    pub at: AttrPath,
    /// Which elements of the list.
    pub which: Option<Filter>,
}

fn syntax(detail: impl Into<String>) -> Fault {
    Fault::new(ErrorType::InvalidSyntax, detail)
}

/// Reads a PATCH message.
///
/// # Errors
/// `invalidSyntax`, `invalidPath`, `invalidFilter`.
pub fn parse(body: &Value, of: &ResourceType) -> Outcome<Vec<Operation>> {
    let message = body.as_object().ok_or_else(|| syntax("An object is needed."))?;
    let field = |name: &str| message.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let named = field("schemas").and_then(Value::as_array).is_some_and(|all| all.iter().any(|s| s == PATCH_OP));
    if !named {
        return Err(syntax(format!("schemas must be [\"{PATCH_OP}\"].")));
    }
    if let Some(unknown) =
        message.keys().find(|key| !["schemas", "operations"].contains(&key.to_ascii_lowercase().as_str()))
    {
        return Err(syntax(format!("A PATCH has no member `{unknown}`.")));
    }
    let operations =
        field("Operations").and_then(Value::as_array).ok_or_else(|| syntax("Operations must be a list."))?;
    if operations.is_empty() || operations.len() > MAX_OPERATIONS {
        return Err(syntax(format!("There must be 1 to {MAX_OPERATIONS} operations.")));
    }
    let mut all = Vec::new();
    for (n, operation) in operations.iter().enumerate() {
        let at = |fault: Fault| Fault::new(fault.kind, format!("Operations[{n}]: {}", fault.detail));
        one(operation, of, &mut all).map_err(at)?;
    }
    Ok(all)
}

fn one(operation: &Value, of: &ResourceType, all: &mut Vec<Operation>) -> Outcome<()> {
    let members = operation.as_object().ok_or_else(|| syntax("An object is needed."))?;
    let field = |name: &str| members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let verb = match field("op").and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
        Some("add") => Verb::Add,
        Some("replace") => Verb::Replace,
        Some("remove") => Verb::Remove,
        _ => return Err(syntax("op must be add, replace or remove.")),
    };
    let path = match field("path") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.is_empty() => None,
        Some(Value::String(text)) => Some(place(text, of)?),
        Some(_) => return Err(Fault::new(ErrorType::InvalidPath, "path must be a text.")),
    };
    let value = field("value").cloned().unwrap_or(Value::Null);
    match (verb, path) {
        (Verb::Remove, None) => Err(Fault::new(ErrorType::NoTarget, "remove needs a path.")),
        (_, Some(path)) => {
            if verb != Verb::Remove && field("value").is_none() {
                return Err(Fault::new(ErrorType::InvalidValue, "A value is needed."));
            }
            let value = unwrapped(&path, value, of);
            all.push(Operation { verb, path: Some(path), value });
            Ok(())
        }
        (_, None) => {
            // Each member of the value is an operation of its own; its name may be a whole path.
            let Value::Object(values) = value else {
                return Err(Fault::new(ErrorType::InvalidValue, "Without a path, the value must be an object."));
            };
            for (name, value) in values {
                if name.eq_ignore_ascii_case("schemas") {
                    continue;
                }
                let path = place(&name, of)?;
                // What only the server sets is ignored here as in a whole resource: Okta sends the id along.
                let read_only = path.at.attribute(of).is_some_and(|a| a.mutability == Mutability::ReadOnly);
                if !read_only {
                    let value = unwrapped(&path, value, of);
                    all.push(Operation { verb, path: Some(path), value });
                }
            }
            Ok(())
        }
    }
}

/// The value itself where Entra sends it as the one element of a list, or as an element with a `value`: as what is no list.
fn unwrapped(path: &Place, value: Value, of: &ResourceType) -> Value {
    let Some(leaf) = path.at.leaf(of).filter(|leaf| !leaf.multi) else { return value };
    let one = match value {
        Value::Array(mut items) if items.len() == 1 => items.pop().unwrap_or_default(),
        other => other,
    };
    match one {
        Value::Object(mut members) if leaf.kind != Kind::Complex => {
            let alone = members.iter().all(|(name, part)| name == "value" || part.is_null());
            match members.remove("value").filter(|_| alone) {
                Some(value) => value,
                None => Value::Object(members),
            }
        }
        other => other,
    }
}

/// Reads `attr`, `attr.sub`, `attr[filter]` or `attr[filter].sub`, each with an optional schema in front.
fn place(text: &str, of: &ResourceType) -> Outcome<Place> {
    let bad = || Fault::new(ErrorType::InvalidPath, format!("`{text}` is no path."));
    let Some((head, tail)) = text.split_once('[') else {
        let mut at = AttrPath::parse(text, of).ok_or_else(bad)?;
        if at.extension.is_none() && at.attribute(of).is_none() {
            // Clients write `manager` for the extension's.
            let named = |uri: &str| AttrPath::parse(&format!("{uri}:{text}"), of).filter(|at| at.leaf(of).is_some());
            at = of.extensions.iter().find_map(|extension| named(extension.id)).unwrap_or(at);
        }
        let known = at.name.is_empty() || at.leaf(of).is_some();
        return if known { Ok(Place { at, which: None }) } else { Err(unknown(text)) };
    };
    let (filter, rest) = tail.rsplit_once(']').ok_or_else(bad)?;
    let mut at = AttrPath::parse(head, of).filter(|at| at.sub.is_none()).ok_or_else(bad)?;
    let attribute = at.attribute(of).ok_or_else(|| unknown(text))?;
    if !attribute.multi || attribute.kind != Kind::Complex {
        return Err(Fault::new(ErrorType::InvalidPath, format!("`{head}` is no list that can be filtered.")));
    }
    let which = Filter::parse_element(filter, attribute, of)?;
    if let Some(sub) = rest.strip_prefix('.') {
        at.sub = Some(attribute.part(sub).ok_or_else(|| unknown(text))?.name.to_owned());
    } else if !rest.is_empty() {
        return Err(bad());
    }
    Ok(Place { at, which: Some(which) })
}

fn unknown(text: &str) -> Fault {
    Fault::new(ErrorType::InvalidPath, format!("There is no attribute `{text}`."))
}

/// Applies operations, in order, to a canonical resource. All or none: on a fault the resource that was given is unchanged.
///
/// # Errors
/// `mutability`, `noTarget`, `invalidValue`.
pub fn apply(
    resource: &Map<String, Value>,
    operations: &[Operation],
    of: &ResourceType,
) -> Outcome<Map<String, Value>> {
    let mut out = resource.clone();
    for operation in operations {
        let Some(place) = &operation.path else { continue };
        apply_one(&mut out, operation.verb, place, &operation.value, of)?;
    }
    out.retain(|_, value| !is_empty(value));
    input::complete(&out, of)?;
    Ok(out)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn apply_one(out: &mut Map<String, Value>, verb: Verb, place: &Place, value: &Value, of: &ResourceType) -> Outcome<()> {
    let (holder, attribute) = match place.at.extension {
        None => (out, place.at.attribute(of)),
        Some(uri) if place.at.name.is_empty() => return whole_extension(out, uri, verb, value, of),
        Some(uri) => {
            let slot = out.entry(uri).or_insert_with(|| Value::Object(Map::new()));
            let Some(members) = slot.as_object_mut() else { return Err(unknown(uri)) };
            (members, place.at.attribute(of))
        }
    };
    let attribute = attribute.ok_or_else(|| unknown(&place.at.name))?;
    let leaf = place.at.leaf(of).ok_or_else(|| unknown(&place.at.name))?;
    if attribute.mutability == Mutability::ReadOnly || leaf.mutability == Mutability::ReadOnly {
        return Err(Fault::new(ErrorType::Mutability, format!("`{}` cannot be changed by clients.", leaf.name)));
    }
    match (&place.which, &place.at.sub, attribute.multi) {
        (Some(which), sub, _) => on_elements(holder, verb, attribute, which, sub.as_deref(), value),
        (None, Some(sub), true) => {
            // `emails.value` is about every element.
            let all = Filter::Not(Box::new(Filter::Not(Box::new(anything()))));
            on_elements(holder, verb, attribute, &all, Some(sub), value)
        }
        (None, Some(sub), false) => {
            let slot = holder.entry(attribute.name).or_insert_with(|| Value::Object(Map::new()));
            let Some(members) = slot.as_object_mut() else { return Err(unknown(sub)) };
            set(members, verb, leaf, value)
        }
        (None, None, true) => on_list(holder, verb, attribute, value),
        (None, None, false) => set(holder, verb, attribute, value),
    }
}

/// A filter that fits every element.
fn anything() -> Filter {
    let nothing = AttrPath { extension: None, name: String::new(), sub: None };
    let target = super::filter::Target { path: nothing, case_exact: true, kind: Kind::String };
    Filter::Not(Box::new(Filter::Present(target)))
}

fn whole_extension(
    out: &mut Map<String, Value>,
    uri: &'static str,
    verb: Verb,
    value: &Value,
    of: &ResourceType,
) -> Outcome<()> {
    if verb == Verb::Remove {
        out.remove(uri);
        return Ok(());
    }
    let Value::Object(members) = value else {
        return Err(Fault::new(ErrorType::InvalidValue, format!("`{uri}` is an object.")));
    };
    // Some libraries write the schemas into the extension.
    for (name, value) in members.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("schemas")) {
        let (extension, rest) = split_schema(name, of).filter(|(e, _)| e.is_some()).unwrap_or((Some(uri), name));
        let mut at = AttrPath::parse(&format!("{uri}:{rest}"), of).ok_or_else(|| unknown(name))?;
        at.extension = extension;
        apply_one(out, verb, &Place { at, which: None }, value, of)?;
    }
    Ok(())
}

/// The value made canonical.
fn canonical(attribute: &Attribute, value: &Value) -> Outcome<Option<Value>> {
    let mut faults = Vec::new();
    let value = input::value_of(attribute, value, attribute.name, &mut faults);
    if faults.is_empty() { Ok(value) } else { Err(Fault::new(ErrorType::InvalidValue, faults.join("; "))) }
}

fn set(holder: &mut Map<String, Value>, verb: Verb, attribute: &Attribute, value: &Value) -> Outcome<()> {
    if verb == Verb::Remove {
        if attribute.required {
            return Err(Fault::new(
                ErrorType::Mutability,
                format!("`{}` is needed and cannot be removed.", attribute.name),
            ));
        }
        holder.remove(attribute.name);
        return Ok(());
    }
    match canonical(attribute, value)? {
        None => {
            holder.remove(attribute.name);
        }
        // The parts that are not named stay (RFC 7644 §3.5.2.1, §3.5.2.3).
        Some(Value::Object(new)) => match holder.get_mut(attribute.name).and_then(Value::as_object_mut) {
            Some(old) => old.extend(new),
            None => {
                holder.insert(attribute.name.to_owned(), Value::Object(new));
            }
        },
        Some(new) => {
            holder.insert(attribute.name.to_owned(), new);
        }
    }
    Ok(())
}

fn list<'a>(holder: &'a mut Map<String, Value>, attribute: &Attribute) -> Outcome<&'a mut Vec<Value>> {
    holder
        .entry(attribute.name)
        .or_insert_with(|| Value::Array(Vec::new()))
        .as_array_mut()
        .ok_or_else(|| Fault::new(ErrorType::InvalidValue, format!("`{}` is no list.", attribute.name)))
}

fn on_list(holder: &mut Map<String, Value>, verb: Verb, attribute: &Attribute, value: &Value) -> Outcome<()> {
    let new = match canonical(attribute, value)? {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    match verb {
        Verb::Replace => {
            holder.insert(attribute.name.to_owned(), Value::Array(new));
        }
        Verb::Add => {
            let items = list(holder, attribute)?;
            for item in new {
                add_element(items, item);
            }
        }
        // Entra names the elements to remove in the value; the RFC has none.
        Verb::Remove if !new.is_empty() => {
            let gone: Vec<Option<&Value>> = new.iter().map(|item| item.get("value")).collect();
            list(holder, attribute)?.retain(|item| !gone.contains(&item.get("value")));
        }
        Verb::Remove => {
            holder.remove(attribute.name);
        }
    }
    Ok(())
}

/// Adds an element unless it is there; a new primary one takes the mark from the old.
fn add_element(items: &mut Vec<Value>, item: Value) {
    if items.contains(&item) {
        return;
    }
    if item.get("primary") == Some(&Value::Bool(true)) {
        for old in items.iter_mut().filter_map(Value::as_object_mut) {
            old.remove("primary");
        }
    }
    items.push(item);
}

fn on_elements(
    holder: &mut Map<String, Value>,
    verb: Verb,
    attribute: &Attribute,
    which: &Filter,
    sub: Option<&str>,
    value: &Value,
) -> Outcome<()> {
    let name = attribute.name.to_owned();
    let items = list(holder, attribute)?;
    let hit: BTreeSet<usize> = items
        .iter()
        .enumerate()
        .filter(|(_, item)| item.as_object().is_some_and(|members| which.matches(members)))
        .map(|(n, _)| n)
        .collect();
    if verb == Verb::Remove {
        if hit.is_empty() {
            return Err(Fault::new(ErrorType::NoTarget, format!("No element of `{name}` fits.")));
        }
        let mut n = 0_usize;
        items.retain_mut(|item| {
            let fits = hit.contains(&n);
            n = n.saturating_add(1);
            match (fits, sub) {
                (false, _) => true,
                (true, None) => false,
                (true, Some(sub)) => item.as_object_mut().is_some_and(|members| {
                    members.remove(sub);
                    !members.is_empty()
                }),
            }
        });
        return Ok(());
    }
    let change = element_change(attribute, sub, value)?;
    if hit.is_empty() {
        let made = described(which).filter(|made| is_usual(attribute, verb, made));
        let made = made.ok_or_else(|| Fault::new(ErrorType::NoTarget, format!("No element of `{name}` fits.")))?;
        let mut made = element_change(attribute, None, &Value::Object(made))?;
        made.extend(change);
        add_element(items, Value::Object(made));
        return Ok(());
    }
    let primary = change.get("primary") == Some(&Value::Bool(true));
    for (n, members) in items.iter_mut().enumerate().filter_map(|(n, item)| Some((n, item.as_object_mut()?))) {
        if hit.contains(&n) {
            members.extend(change.clone());
        } else if primary {
            members.remove("primary");
        }
    }
    Ok(())
}

/// What is written into an element: one part, or the parts of an object.
fn element_change(attribute: &Attribute, sub: Option<&str>, value: &Value) -> Outcome<Map<String, Value>> {
    match sub.and_then(|sub| attribute.part(sub)) {
        Some(part) => {
            let value = canonical(part, value)?;
            let value =
                value.ok_or_else(|| Fault::new(ErrorType::InvalidValue, format!("`{}` needs a value.", part.name)))?;
            Ok(Map::from_iter([(part.name.to_owned(), value)]))
        }
        None => match canonical(attribute, value)? {
            Some(Value::Array(mut items)) if items.len() == 1 => match items.pop() {
                Some(Value::Object(members)) => Ok(members),
                _ => Ok(Map::new()),
            },
            _ => Err(Fault::new(ErrorType::InvalidValue, format!("One element of `{}` is needed.", attribute.name))),
        },
    }
}

/// The element that a filter of equalities describes.
fn described(filter: &Filter) -> Option<Map<String, Value>> {
    match filter {
        Filter::Compare(target, Op::Eq, value) if target.path.sub.is_none() => {
            Some(Map::from_iter([(target.path.name.clone(), value.clone())]))
        }
        Filter::And(a, b) => {
            let mut members = described(a)?;
            members.extend(described(b)?);
            Some(members)
        }
        _ => None,
    }
}

/// Whether an element that a filter describes, and that is not there, is made. By the RFC nothing but an error comes of such a filter;
/// but Entra writes a work address, or the primary role, to those who have none so. What no client means so is an error: a type that
/// the schema does not know, and the replacement of what is told by its value.
fn is_usual(attribute: &Attribute, verb: Verb, made: &Map<String, Value>) -> bool {
    let known = attribute.part("type").map_or(&[][..], |part| part.canonical);
    let usual = |kind: &Value| kind.as_str().is_some_and(|kind| known.iter().any(|one| one.eq_ignore_ascii_case(kind)));
    match made.get("type") {
        Some(kind) => known.is_empty() || usual(kind),
        None => verb == Verb::Add || made.contains_key("primary"),
    }
}

/// Whether a member is said to be a group.
#[must_use]
pub fn is_nested(member: &Value) -> bool {
    let text = |name: &str| member.get(name).and_then(Value::as_str);
    text("type").is_some_and(|kind| !kind.eq_ignore_ascii_case("User"))
        || text("$ref").is_some_and(|uri| uri.contains("/Groups/"))
}

/// The fault of such a member.
#[must_use]
pub fn nested() -> Fault {
    Fault::new(ErrorType::InvalidValue, "members: groups are not kept in groups; only users are members.")
}

/// What a PATCH of a group comes to. Members are sets, so nobody needs to load a hundred thousand of them to add one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupChange {
    /// A new name.
    Name(String),
    /// A new external id, or none.
    ExternalId(Option<String>),
    /// These become members.
    Add(Vec<String>),
    /// These are members no more.
    Remove(Vec<String>),
    /// These, and nobody else, are members.
    ReplaceAll(Vec<String>),
}

/// What the operations of a group's PATCH come to.
///
/// # Errors
/// As [`apply`].
pub fn group_changes(operations: &[Operation], of: &ResourceType) -> Outcome<Vec<GroupChange>> {
    operations.iter().map(|operation| group_change(operation, of)).collect()
}

fn group_change(operation: &Operation, of: &ResourceType) -> Outcome<GroupChange> {
    let Some(place) = &operation.path else { return Err(syntax("A path is needed.")) };
    let attribute = place.at.attribute(of).ok_or_else(|| unknown(&place.at.name))?;
    match (attribute.name, operation.verb, &place.which) {
        ("displayName", Verb::Add | Verb::Replace, None) => match canonical(attribute, &operation.value)? {
            Some(Value::String(name)) if !name.trim().is_empty() => Ok(GroupChange::Name(name)),
            _ => Err(Fault::new(ErrorType::InvalidValue, "displayName needs a text.")),
        },
        ("displayName", Verb::Remove, _) => Err(Fault::new(ErrorType::Mutability, "displayName is needed.")),
        ("externalId", verb, None) => match canonical(attribute, &operation.value)? {
            Some(Value::String(id)) if verb != Verb::Remove => Ok(GroupChange::ExternalId(Some(id))),
            _ => Ok(GroupChange::ExternalId(None)),
        },
        ("members", verb, None) if place.at.sub.is_none() => {
            let members = canonical(attribute, &operation.value)?;
            if verb != Verb::Remove && members.iter().filter_map(Value::as_array).flatten().any(is_nested) {
                return Err(nested());
            }
            let ids = ids(members, &operation.value)?;
            Ok(match verb {
                Verb::Add => GroupChange::Add(ids),
                Verb::Replace => GroupChange::ReplaceAll(ids),
                Verb::Remove if ids.is_empty() => GroupChange::ReplaceAll(Vec::new()),
                Verb::Remove => GroupChange::Remove(ids),
            })
        }
        ("members", Verb::Remove, Some(which)) if place.at.sub.is_none() => {
            let mut ids = Vec::new();
            if named(which, &mut ids) {
                Ok(GroupChange::Remove(ids))
            } else {
                Err(Fault::new(ErrorType::InvalidFilter, "Members are named by value eq \"id\", joined with or."))
            }
        }
        ("members", ..) => Err(Fault::new(ErrorType::Mutability, "Members are added and removed, not changed.")),
        (name, ..) => Err(Fault::new(ErrorType::Mutability, format!("`{name}` cannot be changed by clients."))),
    }
}

fn ids(members: Option<Value>, sent: &Value) -> Outcome<Vec<String>> {
    let items = match members {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    let ids: Vec<String> =
        items.iter().filter_map(|item| item.get("value").and_then(Value::as_str).map(str::to_owned)).collect();
    let wanted = match sent {
        Value::Null => 0,
        Value::Array(all) => all.len(),
        _ => 1,
    };
    if ids.len() == wanted { Ok(ids) } else { Err(Fault::new(ErrorType::InvalidValue, "Every member needs a value.")) }
}

/// Collects the ids of a filter that is a list of equalities.
fn named(filter: &Filter, into: &mut Vec<String>) -> bool {
    match filter {
        Filter::Compare(target, Op::Eq, Value::String(id)) if target.path.name == "value" => {
            into.push(id.clone());
            true
        }
        Filter::Or(a, b) => named(a, into) && named(b, into),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::schemas::{ENTERPRISE, GROUPS, USERS};
    use super::*;

    fn ada() -> Value {
        json!({"userName": "ada", "name": {"givenName": "Ada", "familyName": "L"}, "active": true,
            "emails": [{"value": "a@work", "type": "work", "primary": true}, {"value": "a@home", "type": "home"}],
            ENTERPRISE: {"department": "Sales", "manager": {"value": "2"}}})
    }

    fn patched(operations: Value) -> Outcome<Value> {
        let body = json!({"schemas": [PATCH_OP], "Operations": operations});
        let operations = parse(&body, &USERS)?;
        apply(ada().as_object().unwrap(), &operations, &USERS).map(Value::Object)
    }

    #[test]
    fn what_okta_and_entra_send_works() {
        let one = |operations| patched(operations).unwrap();
        assert_eq!(one(json!([{"op": "Replace", "path": "active", "value": "False"}]))["active"], false);
        assert_eq!(one(json!([{"op": "replace", "value": {"active": false}}]))["active"], false);
        assert_eq!(
            one(json!([{"op": "Add", "path": "emails[type eq \"other\"].value", "value": "x@y"}]))["emails"][2],
            json!({"type": "other", "value": "x@y"})
        );
        assert_eq!(
            one(json!([{"op": "Replace", "path": "phoneNumbers[type eq \"Mobile\"].value", "value": "+1"}]))["phoneNumbers"],
            json!([{"type": "Mobile", "value": "+1"}])
        );
        assert_eq!(
            one(json!([{"op": "Add", "path": "roles[primary eq \"True\"].value", "value": "Manager"}]))["roles"],
            json!([{"primary": true, "value": "Manager"}])
        );
        assert_eq!(
            one(json!([{"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "new@work"}]))["emails"][0]
                ["value"],
            "new@work"
        );
        let flat = one(
            json!([{"op": "Replace", "value": {"name.givenName": "Augusta", "emails[type eq \"work\"].value": "n@w", format!("{ENTERPRISE}:department"): "R&D"}}]),
        );
        assert_eq!(
            (
                &flat["name"]["givenName"],
                &flat["name"]["familyName"],
                &flat["emails"][0]["value"],
                &flat[ENTERPRISE]["department"]
            ),
            (&json!("Augusta"), &json!("L"), &json!("n@w"), &json!("R&D"))
        );
        assert_eq!(
            one(json!([{"op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": "7"}]))[ENTERPRISE]["manager"],
            json!({"value": "7"})
        );
        for path in [format!("{ENTERPRISE}:manager"), "manager".into()] {
            let value = json!([{"$ref": "https://x/Users/7", "value": "7"}]);
            let manager = &one(json!([{"op": "Add", "path": path, "value": value}]))[ENTERPRISE]["manager"];
            assert_eq!(manager["value"], "7");
        }
        for value in [json!([{"$ref": null, "value": "Eve"}]), json!({"value": "Eve"}), json!(["Eve"])] {
            assert_eq!(one(json!([{"op": "Replace", "path": "displayName", "value": value}]))["displayName"], "Eve");
        }
        assert!(patched(json!([{"op": "Replace", "path": "displayName", "value": ["a", "b"]}])).is_err());
        assert_eq!(
            one(json!([{"op": "Add", "value": {ENTERPRISE: {"costCenter": "9"}}}]))[ENTERPRISE]["department"],
            "Sales"
        );
    }

    #[test]
    fn what_is_read_only_is_ignored_without_a_path_and_refused_with_one() {
        let name = |operations| patched(operations).map(|ada| ada["userName"].clone());
        assert_eq!(
            name(json!([{"op": "replace", "value": {"id": "1", "meta": {}, "userName": "eve"}}])),
            Ok(json!("eve"))
        );
        assert!(name(json!([{"op": "replace", "path": "id", "value": "1"}])).is_err());
    }

    #[test]
    fn the_rfc_s_own_rules() {
        let one = |operations| patched(operations).unwrap();
        assert_eq!(
            one(json!([{"op": "add", "path": "emails", "value": [{"value": "n@n", "primary": true}]}]))["emails"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|e| e["primary"] == true)
                .count(),
            1
        );
        assert_eq!(
            one(json!([{"op": "add", "path": "emails", "value": [{"value": "a@home", "type": "home"}]}]))["emails"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
        assert_eq!(
            one(json!([{"op": "replace", "path": "emails[type eq \"home\"].primary", "value": true}]))["emails"][0],
            json!({"value": "a@work", "type": "work"})
        );
        assert_eq!(
            one(json!([{"op": "remove", "path": "emails[type eq \"home\"]"}]))["emails"].as_array().unwrap().len(),
            1
        );
        assert!(one(json!([{"op": "remove", "path": "emails"}])).get("emails").is_none());
        assert!(one(json!([{"op": "remove", "path": "name.givenName"}]))["name"].get("givenName").is_none());
        assert!(one(json!([{"op": "remove", "path": ENTERPRISE}])).get(ENTERPRISE).is_none());
        assert!(one(json!([{"op": "replace", "path": "nickName", "value": "x"}, {"op": "replace", "path": "nickName", "value": null}])).get("nickName").is_none());
        assert_eq!(
            one(json!([{"op": "replace", "path": "emails.type", "value": "other"}]))["emails"][1]["type"],
            "other"
        );
    }

    #[test]
    fn faults_have_their_keyword() {
        for (operations, kind) in [
            (json!([{"op": "remove"}]), ErrorType::NoTarget),
            (json!([{"op": "remove", "path": "userName"}]), ErrorType::Mutability),
            (json!([{"op": "replace", "path": "id", "value": "x"}]), ErrorType::Mutability),
            (json!([{"op": "replace", "path": "groups", "value": []}]), ErrorType::Mutability),
            (json!([{"op": "remove", "path": "emails[type eq \"none\"]"}]), ErrorType::NoTarget),
            (
                json!([{"op": "replace", "path": "emails[type ne \"work\" and type ne \"home\"].value", "value": "x"}]),
                ErrorType::NoTarget,
            ),
            (json!([{"op": "replace", "path": "emails[type eq \"fax\"].value", "value": "x"}]), ErrorType::NoTarget),
            (json!([{"op": "add", "path": "emails[type eq \"fax\"].value", "value": "x"}]), ErrorType::NoTarget),
            (json!([{"op": "replace", "path": "emails[value eq \"none\"].type", "value": "x"}]), ErrorType::NoTarget),
            (json!([{"op": "replace", "path": "shoeSize", "value": 4}]), ErrorType::InvalidPath),
            (json!([{"op": "replace", "path": "emails[", "value": 4}]), ErrorType::InvalidPath),
            (json!([{"op": "replace", "path": "emails[type xx \"a\"]", "value": 4}]), ErrorType::InvalidFilter),
            (json!([{"op": "replace", "path": "active", "value": "maybe"}]), ErrorType::InvalidValue),
            (json!([{"op": "move", "path": "active"}]), ErrorType::InvalidSyntax),
            (json!([]), ErrorType::InvalidSyntax),
            (json!([{"op": "replace", "path": "userName", "value": ""}]), ErrorType::InvalidValue),
        ] {
            assert_eq!(patched(operations.clone()).expect_err(&operations.to_string()).kind, kind, "{operations}");
        }
    }

    #[test]
    fn members_of_groups_are_sets() {
        let changes = |operations: Value| {
            let body = json!({"schemas": [PATCH_OP], "Operations": operations});
            group_changes(&parse(&body, &GROUPS)?, &GROUPS)
        };
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            changes(json!([
                {"op": "add", "path": "members", "value": [{"value": "1", "display": "Ada"}]},
                {"op": "remove", "path": "members[value eq \"2\" or value eq \"3\"]"},
                {"op": "Remove", "path": "members", "value": [{"value": "4"}]},
                {"op": "replace", "value": {"displayName": "Sales", "members": [{"value": "5"}]}},
                {"op": "remove", "path": "members"},
                {"op": "add", "path": "externalId", "value": "g-1"}
            ])),
            Ok(vec![
                GroupChange::Add(ids(&["1"])),
                GroupChange::Remove(ids(&["2", "3"])),
                GroupChange::Remove(ids(&["4"])),
                GroupChange::Name("Sales".into()),
                GroupChange::ReplaceAll(ids(&["5"])),
                GroupChange::ReplaceAll(Vec::new()),
                GroupChange::ExternalId(Some("g-1".into())),
            ])
        );
        assert!(changes(json!([{"op": "remove", "path": "displayName"}])).is_err());
        for member in
            [json!({"value": "1", "type": "Group"}), json!({"value": "1", "$ref": "https://x/scim/v2/Groups/1"})]
        {
            let fault = changes(json!([{"op": "add", "path": "members", "value": [member]}])).unwrap_err();
            assert_eq!(fault, nested());
        }
        assert!(changes(json!([{"op": "add", "path": "members", "value": [{"display": "Ada"}]}])).is_err());
    }
}
