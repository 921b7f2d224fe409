//! Attribute paths (RFC 7644 §3.10): `userName`, `name.givenName`, `urn:…:User:department`, `emails[type eq "work"].value`.

use serde_json::{Map, Value};

use super::attribute::Attribute;
use super::schemas::ResourceType;

/// Where an attribute is in a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttrPath {
    /// The extension that it belongs to; `None` for the core schema and common attributes.
    pub extension: Option<&'static str>,
    /// The attribute; empty when the path names a whole extension.
    pub name: String,
    /// The sub-attribute.
    pub sub: Option<String>,
}

impl AttrPath {
    /// Reads a path without a value filter. Names get the case of the schema; those that no schema knows stay as they are.
    #[must_use]
    pub fn parse(text: &str, of: &ResourceType) -> Option<Self> {
        let (extension, rest) = split_schema(text, of)?;
        if rest.is_empty() {
            return extension.map(|uri| Self { extension: Some(uri), name: String::new(), sub: None });
        }
        let (name, sub) = match rest.split_once('.') {
            Some((name, sub)) => (name, Some(sub)),
            None => (rest, None),
        };
        if !is_name(name) || !sub.is_none_or(is_name) {
            return None;
        }
        let mut path = Self { extension, name: name.to_owned(), sub: sub.map(str::to_owned) };
        if let Some(attribute) = path.attribute(of) {
            path.name = attribute.name.to_owned();
            if let Some(part) = path.sub.as_deref().and_then(|sub| attribute.part(sub)) {
                path.sub = Some(part.name.to_owned());
            }
        }
        Some(path)
    }

    /// The definition of the top-level attribute.
    #[must_use]
    pub fn attribute(&self, of: &ResourceType) -> Option<&'static Attribute> {
        match self.extension {
            None => of.attribute(&self.name),
            Some(uri) => of.extension(uri).and_then(|schema| super::attribute::find(&schema.attributes, &self.name)),
        }
    }

    /// The definition of what the path ends at.
    #[must_use]
    pub fn leaf(&self, of: &ResourceType) -> Option<&'static Attribute> {
        let attribute = self.attribute(of)?;
        match &self.sub {
            None => Some(attribute),
            Some(sub) => attribute.part(sub),
        }
    }

    /// The attribute's value in a resource, before its sub-attribute.
    #[must_use]
    pub fn value<'a>(&self, resource: &'a Map<String, Value>) -> Option<&'a Value> {
        match self.extension {
            None => resource.get(&self.name),
            Some(uri) if self.name.is_empty() => resource.get(uri),
            Some(uri) => resource.get(uri)?.get(&self.name),
        }
    }
}

/// Whether this is an attribute's name (RFC 7643 §2.1, and `$ref`).
fn is_name(text: &str) -> bool {
    let rest = text.strip_prefix('$').unwrap_or(text);
    rest.starts_with(|c: char| c.is_ascii_alphabetic())
        && rest.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// Takes the schema's URI off a path; `None` when it is of a schema that the resource does not have.
pub(super) fn split_schema<'a>(text: &'a str, of: &ResourceType) -> Option<(Option<&'static str>, &'a str)> {
    let after = |uri: &str| {
        let (head, tail) = (text.get(..uri.len())?, text.get(uri.len()..)?);
        if !head.eq_ignore_ascii_case(uri) {
            return None;
        }
        if tail.is_empty() { Some(tail) } else { tail.strip_prefix(':') }
    };
    if let Some(rest) = after(of.core.id) {
        return Some((None, rest));
    }
    for extension in &of.extensions {
        if let Some(rest) = after(extension.id) {
            return Some((Some(extension.id), rest));
        }
    }
    if text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:")) { None } else { Some((None, text)) }
}
