//! SCIM 2.0: what identity providers send, and what they get. Each file tells of one side of it.

mod access;
mod bulk;
mod groups;
mod lists;
mod providers;
mod users;

use crate::support::{Answer, Client, TestApp, Value, json};

pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub const BASE: &str = "https://cairn.example/scim/v2";

/// An identity provider: a machine with the scope `scim` and no other.
pub fn provider(app: &TestApp) -> Client {
    app.machine(&["scim"])
}

/// A user as it is sent.
pub fn person(name: &str, more: Value) -> Value {
    let mut user = json!({"schemas": [USER], "userName": name});
    user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    user
}

/// Makes a user; its id.
#[track_caller]
pub fn make(idp: &Client, name: &str, more: Value) -> String {
    idp.post("/scim/v2/Users", person(name, more)).expect(201).id()
}

/// Makes a group; its id.
#[track_caller]
pub fn make_group(idp: &Client, name: &str, members: &[&str]) -> String {
    let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
    idp.post("/scim/v2/Groups", json!({"schemas": [GROUP], "displayName": name, "members": members})).expect(201).id()
}

pub fn user(id: &str) -> String {
    format!("/scim/v2/Users/{id}")
}

pub fn group(id: &str) -> String {
    format!("/scim/v2/Groups/{id}")
}

/// A PATCH with these operations.
pub fn patch(client: &Client, path: &str, operations: Value) -> Answer {
    let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
    client.call("PATCH", path, Some(body), &[("content-type", "application/scim+json")])
}

/// Text for a query.
pub fn escaped(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { (b as char).to_string() } else { format!("%{b:02X}") })
        .collect()
}

/// A list with this filter.
pub fn filtered(client: &Client, list: &str, filter: &str) -> Answer {
    client.get(&format!("/scim/v2/{list}?filter={}", escaped(filter)))
}

/// What the audit log says happened to somebody or something, oldest first.
pub fn history(app: &TestApp, subject: &str) -> Vec<String> {
    let all = app.admin().all("/v1/audit?limit=200");
    let of = |entry: &&Value| entry["subject"]["id"] == subject || entry["user_id"] == subject;
    let mut found: Vec<(String, String)> = all
        .iter()
        .filter(of)
        .map(|e| (e["id"].as_str().unwrap().to_owned(), e["action"].as_str().unwrap().to_owned()))
        .collect();
    found.sort();
    found.into_iter().map(|(_, action)| action).collect()
}
