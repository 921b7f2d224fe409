//! Filters (RFC 7644 §3.4.2.2): read, checked against the schema, and answered for one resource. `not` binds tighter than `and`,
//! `and` tighter than `or`.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::attribute::{Attribute, Kind};
use super::path::AttrPath;
use super::schemas::ResourceType;
use super::{ErrorType, Fault, Outcome};

/// Longest filter in bytes; longer ones would be an attack on the parser.
pub const MAX_LENGTH: usize = 8_000;
/// Deepest nesting.
const MAX_DEPTH: usize = 32;

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Equal.
    Eq,
    /// Not equal; also holds where there is no value.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Greater than.
    Gt,
    /// Greater than or equal.
    Ge,
    /// Less than.
    Lt,
    /// Less than or equal.
    Le,
}

impl Op {
    fn parse(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "co" => Self::Co,
            "sw" => Self::Sw,
            "ew" => Self::Ew,
            "gt" => Self::Gt,
            "ge" => Self::Ge,
            "lt" => Self::Lt,
            "le" => Self::Le,
            _ => return None,
        })
    }
}

/// A filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Both hold.
    And(Box<Filter>, Box<Filter>),
    /// At least one holds.
    Or(Box<Filter>, Box<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// There is a value.
    Present(Target),
    /// A value compares so.
    Compare(Target, Op, Value),
    /// One element of the list fits; the inner filter is about the element.
    Element(AttrPath, Box<Filter>),
}

/// What is compared: its path, and how its values are to be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Where it is.
    pub path: AttrPath,
    /// Whether the case of texts counts.
    pub case_exact: bool,
    /// What values it has.
    pub kind: Kind,
}

fn bad(detail: impl Into<String>) -> Fault {
    Fault::new(ErrorType::InvalidFilter, detail)
}

impl Filter {
    /// Reads a filter on resources of this type.
    ///
    /// # Errors
    /// `invalidFilter` with the place of the fault.
    pub fn parse(text: &str, of: &ResourceType) -> Outcome<Self> {
        if text.len() > MAX_LENGTH {
            return Err(bad(format!("A filter has at most {MAX_LENGTH} bytes.")));
        }
        let mut parser = Parser { rest: text, length: text.len(), of, element: None };
        let filter = parser.or(0)?;
        parser.end()?;
        Ok(filter)
    }

    /// Reads the filter in the brackets of a value path, on the elements of an attribute.
    ///
    /// # Errors
    /// As [`Filter::parse`].
    pub fn parse_element(text: &str, attribute: &'static Attribute, of: &ResourceType) -> Outcome<Self> {
        let mut parser = Parser { rest: text, length: text.len(), of, element: Some(attribute) };
        let filter = parser.or(0)?;
        parser.end()?;
        Ok(filter)
    }

    /// Whether the filter asks about this attribute.
    #[must_use]
    pub fn mentions(&self, name: &str) -> bool {
        match self {
            Self::And(a, b) | Self::Or(a, b) => a.mentions(name) || b.mentions(name),
            Self::Not(inner) => inner.mentions(name),
            Self::Present(target) | Self::Compare(target, ..) => target.path.name == name,
            Self::Element(path, _) => path.name == name,
        }
    }

    /// Whether a resource, or the element of a list, fits.
    #[must_use]
    pub fn matches(&self, resource: &Map<String, Value>) -> bool {
        match self {
            Self::And(a, b) => a.matches(resource) && b.matches(resource),
            Self::Or(a, b) => a.matches(resource) || b.matches(resource),
            Self::Not(inner) => !inner.matches(resource),
            Self::Present(target) => target.values(resource).into_iter().any(is_present),
            Self::Compare(target, op, wanted) => target.compare(resource, *op, wanted),
            Self::Element(path, inner) => match path.value(resource) {
                Some(Value::Array(items)) => items.iter().filter_map(Value::as_object).any(|item| inner.matches(item)),
                Some(Value::Object(one)) => inner.matches(one),
                _ => false,
            },
        }
    }
}

fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(is_present),
        Value::Object(members) => members.values().any(is_present),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

impl Target {
    fn values<'a>(&self, resource: &'a Map<String, Value>) -> Vec<&'a Value> {
        let Some(value) = self.path.value(resource) else { return Vec::new() };
        let items = match value {
            Value::Array(items) => items.iter().collect(),
            one => vec![one],
        };
        match &self.path.sub {
            None => items,
            Some(sub) => items.into_iter().filter_map(|item| item.get(sub)).collect(),
        }
    }

    fn compare(&self, resource: &Map<String, Value>, op: Op, wanted: &Value) -> bool {
        let values = self.values(resource);
        match (op, wanted) {
            (Op::Eq, Value::Null) => !values.into_iter().any(is_present),
            (Op::Ne, Value::Null) => values.into_iter().any(is_present),
            // `ne` is the contrary of `eq`: it holds where no value is equal.
            (Op::Ne, _) => !values.into_iter().any(|value| self.holds(value, Op::Eq, wanted)),
            _ => values.into_iter().any(|value| self.holds(value, op, wanted)),
        }
    }

    fn holds(&self, value: &Value, op: Op, wanted: &Value) -> bool {
        let order = match (value, wanted) {
            (Value::Bool(a), Value::Bool(b)) => return (a == b) == (op == Op::Eq),
            (Value::Number(a), Value::Number(b)) => a.as_f64().partial_cmp(&b.as_f64()),
            (Value::String(a), Value::String(b)) if self.kind == Kind::DateTime => match (instant(a), instant(b)) {
                (Some(a), Some(b)) => Some(a.cmp(&b)),
                _ => None,
            },
            (Value::String(a), Value::String(b)) => {
                let (a, b) =
                    if self.case_exact { (a.clone(), b.clone()) } else { (a.to_lowercase(), b.to_lowercase()) };
                match op {
                    Op::Co => return a.contains(&b),
                    Op::Sw => return a.starts_with(&b),
                    Op::Ew => return a.ends_with(&b),
                    _ => Some(a.cmp(&b)),
                }
            }
            _ => None,
        };
        order.is_some_and(|order| match op {
            Op::Eq => order == Ordering::Equal,
            Op::Ne => order != Ordering::Equal,
            Op::Gt => order == Ordering::Greater,
            Op::Ge => order != Ordering::Less,
            Op::Lt => order == Ordering::Less,
            Op::Le => order != Ordering::Greater,
            Op::Co | Op::Sw | Op::Ew => false,
        })
    }
}

fn instant(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc())
}

struct Parser<'a> {
    rest: &'a str,
    length: usize,
    of: &'a ResourceType,
    /// The list whose elements the filter is about, inside brackets.
    element: Option<&'static Attribute>,
}

impl<'a> Parser<'a> {
    fn fault(&self, what: &str) -> Fault {
        bad(format!("{what} at position {}.", self.length.saturating_sub(self.rest.len())))
    }

    fn skip(&mut self) {
        self.rest = self.rest.trim_start_matches(' ');
    }

    fn end(&mut self) -> Outcome<()> {
        self.skip();
        if self.rest.is_empty() { Ok(()) } else { Err(self.fault("Something is left over")) }
    }

    /// The next word without taking it.
    fn peek(&self) -> &'a str {
        let end = self.rest.find([' ', '(', ')', '[', ']', '"']).unwrap_or(self.rest.len());
        self.rest.get(..end).unwrap_or_default()
    }

    fn take(&mut self, length: usize) {
        self.rest = self.rest.get(length..).unwrap_or_default();
    }

    fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn word(&mut self, keyword: &str) -> bool {
        self.skip();
        let next = self.peek();
        if next.eq_ignore_ascii_case(keyword) {
            self.take(next.len());
            return true;
        }
        false
    }

    fn or(&mut self, depth: usize) -> Outcome<Filter> {
        let mut left = self.and(depth)?;
        while self.word("or") {
            left = Filter::Or(Box::new(left), Box::new(self.and(depth)?));
        }
        Ok(left)
    }

    fn and(&mut self, depth: usize) -> Outcome<Filter> {
        let mut left = self.term(depth)?;
        while self.word("and") {
            left = Filter::And(Box::new(left), Box::new(self.term(depth)?));
        }
        Ok(left)
    }

    fn term(&mut self, depth: usize) -> Outcome<Filter> {
        if depth > MAX_DEPTH {
            return Err(self.fault("The filter is nested too deeply"));
        }
        let before = self.rest;
        if self.word("not") {
            self.skip();
            if self.eat("(") {
                return Ok(Filter::Not(Box::new(self.group(depth)?)));
            }
            self.rest = before;
        }
        self.skip();
        if self.eat("(") {
            return self.group(depth);
        }
        let name = self.peek();
        if name.is_empty() {
            return Err(self.fault("An attribute is needed"));
        }
        let path = match self.element {
            Some(element) => element_path(name, element),
            None => AttrPath::parse(name, self.of),
        }
        .ok_or_else(|| self.fault(&format!("`{name}` is no attribute's name")))?;
        if self.element.is_none() && path.attribute(self.of).is_none() {
            return Err(self.fault(&format!("There is no attribute `{name}`")));
        }
        self.take(name.len());
        if self.element.is_none() && self.eat("[") {
            return self.brackets(path, depth);
        }
        self.expression(name, path)
    }

    fn group(&mut self, depth: usize) -> Outcome<Filter> {
        let inner = self.or(depth.saturating_add(1))?;
        self.skip();
        if self.eat(")") { Ok(inner) } else { Err(self.fault("`)` is needed")) }
    }

    fn brackets(&mut self, path: AttrPath, depth: usize) -> Outcome<Filter> {
        let attribute = path.attribute(self.of).filter(|a| a.kind == Kind::Complex);
        let Some(attribute) = attribute else {
            return Err(self.fault("Only an attribute with parts can have `[…]`"));
        };
        self.element = Some(attribute);
        let mut inner = self.or(depth.saturating_add(1))?;
        self.skip();
        if !self.eat("]") {
            return Err(self.fault("`]` is needed"));
        }
        if self.eat(".") {
            // Entra asks `emails[type eq "work"].value eq "…"`: the part that follows is of the same element.
            let name = self.peek();
            let part =
                element_path(name, attribute).ok_or_else(|| self.fault(&format!("There is no attribute `{name}`")))?;
            self.take(name.len());
            inner = Filter::And(Box::new(inner), Box::new(self.expression(name, part)?));
        }
        self.element = None;
        Ok(Filter::Element(path, Box::new(inner)))
    }

    fn expression(&mut self, name: &str, mut path: AttrPath) -> Outcome<Filter> {
        let leaf = match self.element {
            Some(element) => element.part(&path.name),
            None => path.leaf(self.of),
        };
        let Some(mut leaf) = leaf else { return Err(self.fault(&format!("There is no attribute `{name}`"))) };
        self.skip();
        let word = self.peek();
        self.take(word.len());
        if word.eq_ignore_ascii_case("pr") {
            return Ok(Filter::Present(target(path, leaf)));
        }
        let op = Op::parse(word).ok_or_else(|| self.fault(&format!("`{word}` is no operator")))?;
        if leaf.kind == Kind::Complex {
            // `emails co "@example.org"` is about the values of the elements (RFC 7644 §3.4.2.2).
            leaf = leaf.part("value").ok_or_else(|| self.fault(&format!("`{name}` has parts; name one of them")))?;
            path.sub = Some(leaf.name.to_owned());
        }
        self.skip();
        let value = self.value()?;
        let value = check(leaf, op, value).map_err(|what| self.fault(&what))?;
        Ok(Filter::Compare(target(path, leaf), op, value))
    }

    fn value(&mut self) -> Outcome<Value> {
        let mut stream = serde_json::Deserializer::from_str(self.rest).into_iter::<Value>();
        let value = if self.rest.starts_with(['{', '[']) { None } else { stream.next().and_then(Result::ok) };
        let used = stream.byte_offset();
        let Some(value) = value else {
            // Some clients write True and False.
            let word = self.peek();
            let value = match word.to_ascii_lowercase().as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ => {
                    return Err(self.fault("A value is needed: a text in double quotes, a number, true, false or null"));
                }
            };
            self.take(word.len());
            return Ok(value);
        };
        self.take(used);
        Ok(value)
    }
}

/// A path inside brackets: a part of the element.
fn element_path(name: &str, element: &Attribute) -> Option<AttrPath> {
    element.part(name).map(|part| AttrPath { extension: None, name: part.name.to_owned(), sub: None })
}

fn target(path: AttrPath, leaf: &Attribute) -> Target {
    Target { path, case_exact: leaf.case_exact, kind: leaf.kind }
}

/// Refuses comparisons that make no sense, and reads what some clients write as text.
fn check(leaf: &Attribute, op: Op, value: Value) -> Result<Value, String> {
    let equality = matches!(op, Op::Eq | Op::Ne);
    match (leaf.kind, &value) {
        (_, Value::Null) if equality => Ok(value),
        (_, Value::String(text)) if text.contains('\0') => Err("No text contains U+0000".into()),
        (Kind::Boolean | Kind::Binary, _) if !equality => {
            Err(format!("`{}` can only be compared with eq and ne", leaf.name))
        }
        (Kind::Boolean, Value::Bool(_)) => Ok(value),
        (Kind::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Value::Bool(true)),
        (Kind::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Value::Bool(false)),
        (Kind::Boolean, _) => Err(format!("`{}` is true or false", leaf.name)),
        (Kind::DateTime, Value::String(text)) if instant(text).is_none() && !matches!(op, Op::Co | Op::Sw | Op::Ew) => {
            Err(format!("`{}` is compared with an instant (RFC 3339)", leaf.name))
        }
        (_, Value::String(_)) => Ok(value),
        _ => Err(format!("`{}` is compared with a text", leaf.name)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::schemas::{GROUPS, USERS};
    use super::*;

    fn holds(filter: &str) -> bool {
        let ada = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "1", "userName": "Ada@Example.org", "active": true,
            "externalId": "HR-17", "name": {"givenName": "Ada", "familyName": "O'Love \"lace"}, "title": "",
            "emails": [{"value": "ada@example.org", "type": "work", "primary": true}, {"value": "ada@home.example", "type": "home"}],
            "meta": {"lastModified": "2026-11-23T09:00:00Z"},
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Sales", "manager": {"value": "2"}},
        });
        Filter::parse(filter, &USERS).unwrap_or_else(|e| panic!("{filter}: {e}")).matches(ada.as_object().unwrap())
    }

    #[test]
    fn every_operator_on_every_kind_of_attribute() {
        for (filter, expected) in [
            (r#"userName eq "ada@example.org""#, true),
            (r#"USERNAME Eq "ADA@example.org""#, true),
            (r#"externalId eq "hr-17""#, false),
            (r#"externalId eq "HR-17""#, true),
            (r#"userName ne "bob""#, true),
            (r#"nickName ne "bob""#, true),
            (r#"userName co "EXAMPLE""#, true),
            (r#"userName sw "ada" and userName ew ".org""#, true),
            (r#"name.familyName eq "O'Love \"lace""#, true),
            (r#"userName gt "ada" and userName lt "adb""#, true),
            (r#"meta.lastModified ge "2026-11-23T10:00:00+01:00""#, true),
            (r#"meta.lastModified lt "2026-11-23T09:00:00Z""#, false),
            ("active eq true", true),
            (r#"active eq "True""#, true),
            ("active eq False", false),
            ("title pr", false),
            ("emails pr and not (nickName pr)", true),
            (r#"emails co "home""#, true),
            (r#"emails.type eq "work""#, true),
            (r#"emails[type eq "work" and value co "home"]"#, false),
            (r#"emails[type eq "home" and value co "home"]"#, true),
            (r#"emails[type eq "home"].value co "home" and active eq true"#, true),
            (r#"emails[type eq "work"].value co "home""#, false),
            (r#"emails[type eq "work"].display pr"#, false),
            (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "sales""#, true),
            (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:manager.value eq "2""#, true),
            (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "ada""#, true),
            (r#"nickName eq null and userName ne null"#, true),
            (r#"schemas eq "urn:ietf:params:scim:schemas:core:2.0:User""#, true),
        ] {
            assert_eq!(holds(filter), expected, "{filter}");
        }
    }

    #[test]
    fn not_binds_tighter_than_and_and_that_than_or() {
        assert!(holds(r#"active eq true or active eq true and active eq false"#));
        assert!(!holds(r#"(active eq true or active eq true) and active eq false"#));
        assert!(holds(r#"not (active eq false) and active eq true"#));
        assert!(!holds(r#"not (active eq false or active eq true)"#));
    }

    #[test]
    fn what_is_not_a_filter_is_refused() {
        let deep = "(".repeat(200) + "active eq true" + &")".repeat(200);
        for filter in [
            "",
            "userName",
            "userName eq",
            "userName eq ada",
            "userName xx \"a\"",
            "userName eq \"a\" and",
            "(active eq true",
            "active eq true)",
            "active gt true",
            "active eq 3",
            "nothing eq \"a\"",
            "name eq \"a\"",
            "emails[type eq \"a\"",
            "emails[nothing eq \"a\"]",
            "emails[type eq \"a\"].nothing pr",
            "emails[type eq \"a\"].value",
            "userName[value eq \"a\"]",
            "urn:x:y:userName eq \"a\"",
            "meta.created gt \"yesterday\"",
            "userName eq {}",
            "userName eq \"a\" or or",
            "userName eq \"\\u00\"",
            "userName eq \"a\\u0000\"",
            &deep,
        ] {
            let fault = Filter::parse(filter, &USERS).expect_err(filter);
            assert_eq!(fault.kind, ErrorType::InvalidFilter, "{filter}");
        }
        assert!(Filter::parse("members[value eq \"1\"]", &GROUPS).is_ok());
    }
}
