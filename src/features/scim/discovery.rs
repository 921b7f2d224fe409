//! What the server says of itself (RFC 7644 §4).

use serde_json::{Value, json};

use crate::domain::scim::bulk::MAX_OPERATIONS;
use crate::domain::scim::list::{CURSOR_SECONDS, DEFAULT_COUNT, LIST_RESPONSE, MAX_COUNT};
use crate::domain::scim::schemas::{GROUPS, USERS, all};
use crate::error::{AppError, AppResult};

/// What of the protocol is spoken.
pub fn config(base: &str, docs: &str, max_payload: usize) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "documentationUri": docs,
        "patch": {"supported": true},
        "bulk": {"supported": true, "maxOperations": MAX_OPERATIONS, "maxPayloadSize": max_payload},
        "filter": {"supported": true, "maxResults": MAX_COUNT},
        "changePassword": {"supported": true},
        "sort": {"supported": true},
        "etag": {"supported": true},
        "pagination": {
            "cursor": true, "index": true, "defaultPaginationMethod": "index",
            "defaultPageSize": DEFAULT_COUNT, "maxPageSize": MAX_COUNT, "cursorTimeout": CURSOR_SECONDS,
        },
        "authenticationSchemes": [{
            "type": "oauthbearertoken", "name": "OAuth Bearer Token", "primary": true,
            "description": "An access token of a client with the scope scim (POST /oauth/token), or of an admin.",
            "specUri": "https://www.rfc-editor.org/info/rfc6750", "documentationUri": docs,
        }],
        "meta": {"resourceType": "ServiceProviderConfig", "location": format!("{base}/ServiceProviderConfig")},
    })
}

fn list(items: Vec<Value>) -> Value {
    json!({"schemas": [LIST_RESPONSE], "totalResults": items.len(), "itemsPerPage": items.len(), "startIndex": 1, "Resources": items})
}

/// The kinds of resources.
pub fn resource_types(base: &str) -> Value {
    list(vec![USERS.to_json(base), GROUPS.to_json(base)])
}

/// One kind of resources.
///
/// # Errors
/// 404.
pub fn resource_type(base: &str, name: &str) -> AppResult<Value> {
    let found = [&*USERS, &*GROUPS].into_iter().find(|one| one.name == name);
    found.map(|one| one.to_json(base)).ok_or_else(|| AppError::not_found("resource type"))
}

/// The schemas.
pub fn schemas(base: &str) -> Value {
    list(all().iter().map(|schema| schema.to_json(base)).collect())
}

/// One schema.
///
/// # Errors
/// 404.
pub fn schema(base: &str, uri: &str) -> AppResult<Value> {
    let found = all().into_iter().find(|one| one.id.eq_ignore_ascii_case(uri));
    found.map(|one| one.to_json(base)).ok_or_else(|| AppError::not_found("schema"))
}
