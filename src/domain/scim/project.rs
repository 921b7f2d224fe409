//! What stands in an answer (RFC 7644 §3.9): `attributes` and `excludedAttributes`.

use serde_json::{Map, Value};

use super::attribute::{Attribute, Returned};
use super::path::AttrPath;
use super::schemas::ResourceType;
use super::{ErrorType, Fault, Outcome};

/// Which attributes a client wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Projection {
    /// Those returned by default.
    #[default]
    Default,
    /// These, and those always returned.
    Only(Vec<AttrPath>),
    /// All by default but these.
    Without(Vec<AttrPath>),
}

impl Projection {
    /// Reads the two query parameters, lists separated by commas.
    ///
    /// # Errors
    /// `invalidValue` when both are given, or one is no list of attributes.
    pub fn parse(attributes: Option<&str>, excluded: Option<&str>, of: &ResourceType) -> Outcome<Self> {
        match (attributes.filter(|t| !t.trim().is_empty()), excluded.filter(|t| !t.trim().is_empty())) {
            (Some(_), Some(_)) => {
                Err(Fault::new(ErrorType::InvalidValue, "attributes and excludedAttributes exclude each other."))
            }
            (Some(list), None) => Ok(Self::Only(paths(list, of)?)),
            (None, Some(list)) => Ok(Self::Without(paths(list, of)?)),
            (None, None) => Ok(Self::Default),
        }
    }

    /// Whether the answer has any of this top-level attribute, so that what is dear to load need not be loaded in vain.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        match self {
            Self::Default => true,
            Self::Only(paths) => paths.iter().any(|p| p.extension.is_none() && p.name == name),
            Self::Without(paths) => !paths.iter().any(|p| p.extension.is_none() && p.sub.is_none() && p.name == name),
        }
    }

    /// Leaves in the resource what the client gets.
    pub fn apply(&self, resource: &mut Map<String, Value>, of: &ResourceType) {
        resource.retain(|name, value| match of.attribute(name) {
            Some(attribute) => self.keep(None, attribute, value),
            None => match of.extension(name) {
                None => false,
                Some(schema) => {
                    if let Value::Object(members) = value {
                        members.retain(|name, value| {
                            super::attribute::find(&schema.attributes, name)
                                .is_some_and(|attribute| self.keep(Some(schema.id), attribute, value))
                        });
                        !members.is_empty()
                    } else {
                        false
                    }
                }
            },
        });
    }

    fn keep(&self, extension: Option<&'static str>, attribute: &Attribute, value: &mut Value) -> bool {
        let mine =
            |path: &&AttrPath| path.extension == extension && (path.name.is_empty() || path.name == attribute.name);
        match (attribute.returned, self) {
            (Returned::Never, _) | (Returned::Request, Self::Default | Self::Without(_)) => false,
            (Returned::Always | Returned::Default, Self::Default) | (Returned::Always, _) => {
                parts(value, |part| !on_request(attribute, part));
                true
            }
            (Returned::Default | Returned::Request, Self::Only(paths)) => {
                let paths: Vec<&AttrPath> = paths.iter().filter(mine).collect();
                if paths.is_empty() {
                    return false;
                }
                let whole = paths.iter().any(|path| path.sub.is_none());
                let named = |part: &str| paths.iter().any(|path| path.sub.as_deref() == Some(part));
                parts(value, |part| named(part) || (whole && !on_request(attribute, part)));
                true
            }
            (Returned::Default, Self::Without(paths)) => {
                let paths: Vec<&AttrPath> = paths.iter().filter(mine).collect();
                if paths.iter().any(|path| path.sub.is_none()) {
                    return false;
                }
                let named = |part: &str| paths.iter().any(|path| path.sub.as_deref() == Some(part));
                parts(value, |part| !named(part) && !on_request(attribute, part));
                true
            }
        }
    }

    /// Whether the client asks for a part that is returned on request only.
    #[must_use]
    pub fn asks(&self, name: &str, part: &str) -> bool {
        matches!(self, Self::Only(paths) if paths.iter().any(|p| p.name == name && p.sub.as_deref() == Some(part)))
    }
}

fn on_request(attribute: &Attribute, part: &str) -> bool {
    attribute.part(part).is_some_and(|part| part.returned == Returned::Request)
}

fn parts(value: &mut Value, keep: impl Fn(&str) -> bool + Copy) {
    match value {
        Value::Object(members) => members.retain(|name, _| keep(name)),
        Value::Array(items) => items.iter_mut().for_each(|item| parts(item, keep)),
        _ => {}
    }
}

fn paths(list: &str, of: &ResourceType) -> Outcome<Vec<AttrPath>> {
    list.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| {
            AttrPath::parse(name, of)
                .ok_or_else(|| Fault::new(ErrorType::InvalidValue, format!("`{name}` is no attribute's name.")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::schemas::{ENTERPRISE, USERS};
    use super::*;

    fn shown(attributes: Option<&str>, excluded: Option<&str>) -> Value {
        let mut ada = json!({"schemas": ["x"], "id": "1", "userName": "ada", "password": "secret", "name": {"givenName": "Ada", "familyName": "L"},
            "emails": [{"value": "a@b", "type": "work"}], ENTERPRISE: {"department": "Sales", "costCenter": "7", "manager": {"value": "2", "displayName": "Bea"}}});
        Projection::parse(attributes, excluded, &USERS).unwrap().apply(ada.as_object_mut().unwrap(), &USERS);
        ada
    }

    #[test]
    fn asked_for_left_out_and_never_shown() {
        assert!(shown(None, None).get("password").is_none());
        assert_eq!(shown(Some("USERNAME"), None), json!({"schemas": ["x"], "id": "1", "userName": "ada"}));
        assert_eq!(
            shown(Some("name.givenName,password"), None),
            json!({"schemas": ["x"], "id": "1", "name": {"givenName": "Ada"}})
        );
        assert_eq!(
            shown(Some(&format!("{ENTERPRISE}:department")), None),
            json!({"schemas": ["x"], "id": "1", ENTERPRISE: {"department": "Sales"}})
        );
        assert_eq!(
            shown(None, Some(&format!("id,name,emails.type,{ENTERPRISE}"))),
            json!({"schemas": ["x"], "id": "1", "userName": "ada", "emails": [{"value": "a@b"}]})
        );
        let manager = |attributes: Option<&str>| shown(attributes, None)[ENTERPRISE]["manager"].clone();
        assert_eq!(manager(None), json!({"value": "2"}));
        assert_eq!(manager(Some(&*format!("{ENTERPRISE}:manager"))), json!({"value": "2"}));
        assert_eq!(manager(Some(&*format!("{ENTERPRISE}:manager.displayName"))), json!({"displayName": "Bea"}));
        assert!(Projection::parse(Some("userName"), Some("name"), &USERS).is_err());
        assert!(Projection::parse(Some("a b"), None, &USERS).is_err());
    }
}
