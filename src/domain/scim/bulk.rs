//! Bulk requests (RFC 7644 §3.7): operations that may refer to what others of the same request make, in any order.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{ErrorType, Fault, Outcome};

/// URI of the request.
pub const BULK_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// URI of the answer.
pub const BULK_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
/// Operations in one request at most.
pub const MAX_OPERATIONS: usize = 1_000;
/// Before the `bulkId` in a reference.
const PREFIX: &str = "bulkId:";

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkOperation {
    /// `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// Its name in this request; what is made needs one.
    pub bulk_id: Option<String>,
    /// The version that it is about.
    pub version: Option<String>,
    /// Where, below the base.
    pub path: String,
    /// With what.
    pub data: Option<Value>,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkRequest {
    /// Errors after which it stops; goes on to the end when absent.
    pub fail_on_errors: Option<u64>,
    /// The operations; those that cannot be read with their fault.
    pub operations: Vec<Result<BulkOperation, Fault>>,
}

fn syntax(detail: impl Into<String>) -> Fault {
    Fault::new(ErrorType::InvalidSyntax, detail)
}

impl BulkRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// `invalidSyntax`; `tooMany` for more operations than are taken. What is wrong with one operation is told with it.
    pub fn parse(body: &Map<String, Value>) -> Outcome<Self> {
        let field = |name: &str| body.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let known = ["schemas", "failonerrors", "operations"];
        if let Some(unknown) = body.keys().find(|key| !known.contains(&key.to_ascii_lowercase().as_str())) {
            return Err(syntax(format!("A bulk request has no member `{unknown}`.")));
        }
        if !field("schemas").and_then(Value::as_array).is_some_and(|all| all.iter().any(|uri| uri == BULK_REQUEST)) {
            return Err(syntax(format!("schemas must be [\"{BULK_REQUEST}\"].")));
        }
        let fail_on_errors = match field("failOnErrors") {
            None | Some(Value::Null) => None,
            Some(value) => match value.as_u64() {
                // Clients that never want it to stop send 0.
                Some(0) => None,
                Some(n) => Some(n),
                None => return Err(syntax("failOnErrors must be a whole number.")),
            },
        };
        let Some(Value::Array(operations)) = field("Operations") else {
            return Err(syntax("Operations must be a list."));
        };
        if operations.len() > MAX_OPERATIONS {
            return Err(Fault::new(ErrorType::TooMany, format!("A request has at most {MAX_OPERATIONS} operations.")));
        }
        let mut seen = BTreeSet::new();
        let operations = operations
            .iter()
            .map(|operation| {
                let read = BulkOperation::parse(operation)?;
                match &read.bulk_id {
                    Some(id) if !seen.insert(id.clone()) => {
                        Err(syntax(format!("Another operation has bulkId `{id}`.")))
                    }
                    _ => Ok(read),
                }
            })
            .collect();
        Ok(Self { fail_on_errors, operations })
    }

    /// The operations in an order in which each comes after those that it refers to, and else in the order given; behind them those that
    /// refer to themselves in a circle, or to nothing.
    #[must_use]
    pub fn order(&self) -> (Vec<usize>, Vec<usize>) {
        let made: BTreeMap<&str, usize> = self
            .operations
            .iter()
            .enumerate()
            .filter_map(|(n, o)| Some((o.as_ref().ok().filter(|o| o.method == "POST")?.bulk_id.as_deref()?, n)))
            .collect();
        let needs: Vec<Option<BTreeSet<usize>>> = self
            .operations
            .iter()
            .map(|o| match o {
                Ok(o) => o.references().into_iter().map(|id| made.get(id).copied()).collect(),
                Err(_) => Some(BTreeSet::new()),
            })
            .collect();
        let (mut done, mut order) = (BTreeSet::new(), Vec::new());
        let mut waiting: Vec<usize> = (0..needs.len()).collect();
        loop {
            let before = order.len();
            waiting.retain(|n| {
                let ready = needs.get(*n).is_some_and(|needs| {
                    needs.as_ref().is_some_and(|needs| needs.iter().all(|need| done.contains(need)))
                });
                if ready {
                    done.insert(*n);
                    order.push(*n);
                }
                !ready
            });
            if order.len() == before {
                return (order, waiting);
            }
        }
    }
}

impl BulkOperation {
    fn parse(value: &Value) -> Outcome<Self> {
        let members = value.as_object().ok_or_else(|| syntax("An operation is an object."))?;
        let field = |name: &str| members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let known = ["method", "bulkid", "version", "path", "data"];
        if let Some(unknown) = members.keys().find(|key| !known.contains(&key.to_ascii_lowercase().as_str())) {
            return Err(syntax(format!("An operation has no member `{unknown}`.")));
        }
        let text = |name: &str| match field(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(syntax(format!("{name} must be a text."))),
        };
        let method = text("method")?.map(|m| m.to_ascii_uppercase());
        let method = method.filter(|m| ["POST", "PUT", "PATCH", "DELETE"].contains(&m.as_str()));
        let method = method.ok_or_else(|| syntax("method must be POST, PUT, PATCH or DELETE."))?;
        let path = text("path")?.ok_or_else(|| syntax("path is needed."))?;
        let bulk_id = text("bulkId")?;
        if method == "POST" && bulk_id.as_ref().is_none_or(String::is_empty) {
            return Err(syntax("A POST needs a bulkId."));
        }
        Ok(Self { method, bulk_id, version: text("version")?, path, data: field("data").cloned() })
    }

    /// The `bulkId`s that the operation refers to.
    #[must_use]
    pub fn references(&self) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        found.extend(self.path.split('/').filter_map(|part| part.strip_prefix(PREFIX)));
        if let Some(data) = &self.data {
            collect(data, &mut found);
        }
        found
    }

    /// The operation with the ids of what has been made in place of the references.
    #[must_use]
    pub fn resolved(&self, made: &BTreeMap<String, String>) -> Self {
        let id = |text: &str| text.strip_prefix(PREFIX).and_then(|id| made.get(id)).cloned();
        let path: Vec<String> = self.path.split('/').map(|part| id(part).unwrap_or_else(|| part.to_owned())).collect();
        let mut data = self.data.clone();
        if let Some(data) = &mut data {
            replace(data, &id);
        }
        Self { path: path.join("/"), data, ..self.clone() }
    }
}

/// The references within the filter of a path, as in `members[value eq "bulkId:ada"]`.
fn quoted(path: &str) -> impl Iterator<Item = &str> {
    path.split('"').skip(1).step_by(2).filter_map(|text| text.strip_prefix(PREFIX))
}

fn collect<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::String(text) => found.extend(text.strip_prefix(PREFIX)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(members) => members.iter().for_each(|(name, member)| match member {
            Value::String(path) if name.eq_ignore_ascii_case("path") => found.extend(quoted(path)),
            member => collect(member, found),
        }),
        _ => {}
    }
}

fn replace(value: &mut Value, id: &impl Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(id) = id(text) {
                *text = id;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, id)),
        Value::Object(members) => members.iter_mut().for_each(|(name, member)| match member {
            Value::String(path) if name.eq_ignore_ascii_case("path") => {
                let names: Vec<String> = quoted(path).map(str::to_owned).collect();
                for name in names {
                    let whole = format!("{PREFIX}{name}");
                    if let Some(made) = id(&whole) {
                        *path = path.replace(&format!("\"{whole}\""), &format!("\"{made}\""));
                    }
                }
            }
            member => replace(member, id),
        }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(operations: Value) -> BulkRequest {
        let body = json!({"schemas": [BULK_REQUEST], "Operations": operations});
        BulkRequest::parse(body.as_object().unwrap()).unwrap()
    }

    #[test]
    fn what_is_referred_to_comes_first() {
        let request = request(json!([
            {"method": "POST", "path": "/Groups", "bulkId": "g", "data": {"members": [{"value": "bulkId:u"}]}},
            {"method": "PATCH", "path": "/Users/bulkId:u", "data": {}},
            {"method": "POST", "path": "/Users", "bulkId": "u", "data": {}},
            {"method": "POST", "path": "/Users", "bulkId": "a", "data": {"manager": "bulkId:b"}},
            {"method": "POST", "path": "/Users", "bulkId": "b", "data": {"manager": "bulkId:a"}},
            {"method": "PATCH", "path": "/Users/bulkId:nobody", "data": {}},
            {"method": "POST", "path": "/Users", "data": {}},
        ]));
        assert_eq!(request.order(), (vec![2, 6, 0, 1], vec![3, 4, 5]));
        let made = BTreeMap::from([("u".to_owned(), "7".to_owned())]);
        let first = request.operations[0].as_ref().unwrap().resolved(&made);
        assert_eq!(first.data.unwrap(), json!({"members": [{"value": "7"}]}));
        assert_eq!(request.operations[1].as_ref().unwrap().resolved(&made).path, "/Users/7");
        assert!(request.operations[6].is_err());
    }

    #[test]
    fn references_stand_in_the_filters_of_paths_too() {
        let path = "members[value eq \"bulkId:u\" or value eq \"bulkId:v\"]";
        let request = request(json!([
            {"method": "PATCH", "path": "/Groups/1", "data": {"Operations": [{"op": "remove", "path": path}]}},
            {"method": "POST", "path": "/Users", "bulkId": "u", "data": {}},
            {"method": "POST", "path": "/Users", "bulkId": "v", "data": {}},
        ]));
        assert_eq!(request.order(), (vec![1, 2, 0], vec![]));
        let made = BTreeMap::from([("u".to_owned(), "7".to_owned()), ("v".to_owned(), "8".to_owned())]);
        let data = request.operations[0].as_ref().unwrap().resolved(&made).data.unwrap();
        assert_eq!(data["Operations"][0]["path"], "members[value eq \"7\" or value eq \"8\"]");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for body in [
            json!({}),
            json!({"schemas": [BULK_REQUEST]}),
            json!({"schemas": [BULK_REQUEST], "Operations": {}}),
            json!({"schemas": [BULK_REQUEST], "Operations": [], "colour": "red"}),
            json!({"schemas": [BULK_REQUEST], "Operations": [], "failOnErrors": -1}),
        ] {
            assert!(BulkRequest::parse(body.as_object().unwrap()).is_err(), "{body}");
        }
    }
}
