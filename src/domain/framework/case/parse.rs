//! A package read member by member: all that is wrong is named at once, and what is not kept is counted.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::super::mastery::Fault;
use super::{Association, Document, Item, Node, Package};

/// Members that Cairn writes itself when a framework leaves it again.
const OWN: [&str; 2] = ["uri", "lastChangeDateTime"];

/// Reads a package, with every fault of it; what could not be read is empty there.
#[must_use]
pub fn parse(value: &Value) -> (Package, Vec<Fault>) {
    let mut reader = Reader { faults: Vec::new(), passed_over: BTreeMap::new() };
    let empty = Map::new();
    let members = reader.object(Some(value), String::new()).unwrap_or(&empty);
    let faulty = !reader.faults.is_empty();
    let document = if faulty { Document::default() } else { reader.document(members.get("CFDocument")) };
    // What is no package at all has no parts that could be missing.
    let none = Value::Array(Vec::new());
    let list = |name: &str| if faulty { Some(&none) } else { members.get(name) };
    let items = reader.list(list("CFItems"), "CFItems", |reader, value, at| reader.item(value, at));
    let associations =
        reader.list(list("CFAssociations"), "CFAssociations", |reader, value, at| reader.association(value, at));
    for (name, value) in
        members.iter().filter(|(name, _)| !["CFDocument", "CFItems", "CFAssociations"].contains(&name.as_str()))
    {
        match value {
            Value::Object(parts) => {
                parts.iter().for_each(|(part, value)| reader.pass_over(&format!("{name}.{part}"), value))
            }
            value => reader.pass_over(name, value),
        }
    }
    (Package { document, items, associations, passed_over: reader.passed_over }, reader.faults)
}

struct Reader {
    faults: Vec<Fault>,
    passed_over: BTreeMap<String, usize>,
}

impl Reader {
    fn fault(&mut self, pointer: String, detail: &str) {
        self.faults.push(Fault { pointer, detail: detail.to_owned() });
    }

    /// Counts what is said and not kept; a list as many times as it has entries.
    fn pass_over(&mut self, name: &str, value: &Value) {
        let times = match value {
            Value::Null => 0,
            Value::String(text) => usize::from(!text.is_empty()),
            Value::Array(list) => list.len(),
            Value::Object(members) => usize::from(!members.is_empty()),
            _ => 1,
        };
        if times > 0 {
            let count = self.passed_over.entry(name.to_owned()).or_default();
            *count = count.saturating_add(times);
        }
    }

    fn pass_over_but(&mut self, members: &Map<String, Value>, of: &str, kept: &[&str]) {
        for (name, value) in members {
            if !kept.contains(&name.as_str()) && !OWN.contains(&name.as_str()) {
                // An entry says a member once, whatever is in it.
                let said = !matches!(value, Value::Null) && *value != Value::Array(Vec::new());
                if said {
                    self.pass_over(&format!("{of}.{name}"), &Value::Bool(true));
                }
            }
        }
    }

    fn object<'a>(&mut self, value: Option<&'a Value>, at: String) -> Option<&'a Map<String, Value>> {
        let found = value.and_then(Value::as_object);
        if found.is_none() {
            self.fault(at, "An object is needed.");
        }
        found
    }

    fn list<T>(&mut self, list: Option<&Value>, name: &str, read: impl Fn(&mut Self, &Value, &str) -> T) -> Vec<T> {
        match list {
            None | Some(Value::Null) => {
                self.fault(format!("/{name}"), "This is missing.");
                Vec::new()
            }
            Some(Value::Array(list)) => {
                list.iter().enumerate().map(|(n, value)| read(self, value, &format!("/{name}/{n}"))).collect()
            }
            Some(_) => {
                self.fault(format!("/{name}"), "A list is needed.");
                Vec::new()
            }
        }
    }

    fn optional(&mut self, members: &Map<String, Value>, at: &str, name: &str) -> Option<String> {
        match members.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => {
                self.fault(format!("{at}/{name}"), "A text is needed.");
                None
            }
        }
    }

    fn text(&mut self, members: &Map<String, Value>, at: &str, name: &str) -> String {
        if matches!(members.get(name), None | Some(Value::Null)) {
            self.fault(format!("{at}/{name}"), "This is missing.");
        }
        self.optional(members, at, name).unwrap_or_default()
    }

    fn document(&mut self, value: Option<&Value>) -> Document {
        let at = "/CFDocument";
        let Some(members) = self.object(value, at.to_owned()) else { return Document::default() };
        self.pass_over_but(
            members,
            "CFDocument",
            &["identifier", "creator", "title", "description", "version", "caseVersion"],
        );
        Document {
            identifier: self.text(members, at, "identifier"),
            uri: self.text(members, at, "uri"),
            creator: self.optional(members, at, "creator"),
            title: self.text(members, at, "title"),
            description: self.optional(members, at, "description"),
            version: self.optional(members, at, "version"),
            last_change_date_time: self.optional(members, at, "lastChangeDateTime"),
        }
    }

    fn item(&mut self, value: &Value, at: &str) -> Item {
        let Some(members) = self.object(Some(value), at.to_owned()) else { return Item::default() };
        let kept = ["identifier", "fullStatement", "abbreviatedStatement", "humanCodingScheme", "CFItemType"];
        self.pass_over_but(members, "CFItems", &kept);
        Item {
            identifier: self.text(members, at, "identifier"),
            uri: self.text(members, at, "uri"),
            full_statement: self.text(members, at, "fullStatement"),
            abbreviated_statement: self.optional(members, at, "abbreviatedStatement"),
            human_coding_scheme: self.optional(members, at, "humanCodingScheme"),
            item_type: self.optional(members, at, "CFItemType"),
            last_change_date_time: self.optional(members, at, "lastChangeDateTime"),
        }
    }

    fn association(&mut self, value: &Value, at: &str) -> Association {
        let Some(members) = self.object(Some(value), at.to_owned()) else { return Association::default() };
        let kept = ["identifier", "associationType", "sequenceNumber", "originNodeURI", "destinationNodeURI"];
        self.pass_over_but(members, "CFAssociations", &kept);
        let sequence_number = match members.get("sequenceNumber") {
            None | Some(Value::Null) => None,
            Some(value) => {
                let number = value.as_i64();
                if number.is_none() {
                    self.fault(format!("{at}/sequenceNumber"), "A whole number is needed.");
                }
                number
            }
        };
        Association {
            identifier: self.text(members, at, "identifier"),
            uri: self.text(members, at, "uri"),
            association_type: self.text(members, at, "associationType"),
            sequence_number,
            origin: self.node(members, at, "originNodeURI"),
            destination: self.node(members, at, "destinationNodeURI"),
            last_change_date_time: self.optional(members, at, "lastChangeDateTime"),
        }
    }

    fn node(&mut self, members: &Map<String, Value>, at: &str, name: &str) -> Node {
        let at = format!("{at}/{name}");
        let Some(members) = self.object(members.get(name), at.clone()) else { return Node::default() };
        Node {
            title: self.text(members, &at, "title"),
            identifier: self.text(members, &at, "identifier"),
            uri: self.text(members, &at, "uri"),
        }
    }
}
