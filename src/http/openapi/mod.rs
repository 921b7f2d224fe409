//! The OpenAPI 3.1 document: made from the handlers' annotations, then completed with what holds for every operation, so that
//! handlers say only what is special about them.

#![expect(clippy::indexing_slicing, reason = "indexing a JSON value makes the member, and never panics on an object")]

mod exact;
mod examples;
mod paths;
mod tidy;

use self::paths::METHODS;
pub use self::paths::Takes;

use std::sync::LazyLock;

use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::scim;
use crate::domain::permission::Scope;
use crate::error::{Code, Fault};

/// An error, as every error looks (RFC 9457). Further members depend on what happened: those below that may be absent, and `reasons`,
/// `actions` and `opens_at` on locked modules.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "type": "urn:cairn:problem:validation_failed", "title": "The input is not valid", "status": 422,
    "detail": "/email: This is not an e-mail address.", "code": "validation_failed", "request_id": "0199c0de-0000-7000-8000-000000000000",
    "errors": [{"pointer": "/email", "code": "invalid_email", "detail": "This is not an e-mail address."}]
}))]
pub struct Problem {
    /// URN of the kind of problem.
    pub r#type: String,
    /// Short summary, the same for every occurrence.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    /// Stable name to switch on.
    pub code: String,
    /// The request's id, which stands in the log too.
    pub request_id: String,
    /// Every fault of the input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<Fault>>,
    /// On 403: the `scope` that a client lacks, or the `roles` any of which would do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub missing: Option<Value>,
    /// Of a ledger entry that was taken back already: the points left of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<i64>,
    /// Of a game that has not begun: when it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub starts_at: Option<String>,
    /// Of a game that is over: `closed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub game_status: Option<String>,
}

/// The committed document is what a server serves and judges by: a test holds it to be what the code says ([`make`]), and a server
/// neither makes it at every start nor keeps what making it takes.
const COMMITTED: &str = include_str!("../../../openapi/cairn.json");

static PATHS: LazyLock<Vec<paths::Template>> = LazyLock::new(|| paths::templates(COMMITTED));

/// The document as JSON text.
#[must_use]
pub fn text() -> &'static str {
    COMMITTED
}

/// Makes the document from what the handlers' annotations say.
#[must_use]
pub fn make(annotated: &utoipa::openapi::OpenApi) -> String {
    let mut document = serde_json::to_value(annotated).unwrap_or(Value::Null);
    complete(&mut document);
    // Of Swagger UI alone; it is no API.
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        paths.remove("/docs/token");
    }
    tidy::tidy(&mut document);
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

/// The methods that the document knows for this concrete path: a path written out counts before one with parameters.
#[must_use]
pub fn methods_at(path: &str) -> Vec<String> {
    paths::methods_at(&PATHS, path)
}

/// What the operation at this concrete path takes.
#[must_use]
pub fn operation_at(method: &str, path: &str) -> Option<Takes> {
    paths::operation_at(&PATHS, method, path)
}

fn complete(document: &mut Value) {
    document["components"]["securitySchemes"] = security_schemes();
    document["components"]["headers"] = json!({
        "RequestId": {"description": "The request's id: yours when you sent one, else made here. It stands in the log too.", "schema": {"type": "string"}},
        "ETag": {"description": "Tag of this version, for If-Match and If-None-Match.", "schema": {"type": "string"}},
        "RetryAfter": {"description": "Seconds until the next try may succeed.", "schema": {"type": "integer"}},
        "RateLimitPolicy": {"description": "The limit that applies: `\"caller\";q=600;w=60` is 600 requests in 60 seconds (draft-ietf-httpapi-ratelimit-headers).", "schema": {"type": "string"}},
        "RateLimit": {"description": "What is left of it: `\"caller\";r=599;t=1`.", "schema": {"type": "string"}},
        "Link": {"description": "The next page: `<…>; rel=\"next\"` (RFC 8288).", "schema": {"type": "string"}},
    });
    document["components"]["parameters"] = header_parameters();
    document["components"]["responses"] = problem_responses();
    for (name, header) in
        [("Retry-After", "RetryAfter"), ("RateLimit-Policy", "RateLimitPolicy"), ("RateLimit", "RateLimit")]
    {
        for response in ["Problem429", "Scim429"] {
            document["components"]["responses"][response]["headers"][name] =
                json!({"$ref": format!("#/components/headers/{header}")});
        }
    }
    exact::complete(document);
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else { return };
    for (path, item) in paths.iter_mut() {
        for method in METHODS {
            if let Some(operation) = item.get_mut(method).and_then(Value::as_object_mut) {
                complete_operation(path, method, operation);
            }
        }
    }
    examples::complete(document);
}

/// One shared response per status, listing the codes that it can carry.
fn problem_responses() -> Value {
    let mut all = Map::new();
    for code in Code::ALL {
        let entry = all.entry(format!("Problem{}", code.status())).or_insert_with(|| {
            json!({
                "description": "",
                "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}},
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            })
        });
        let before = entry["description"].as_str().unwrap_or_default().to_owned();
        let line = format!("`{}`: {}", code.as_str(), code.meaning());
        entry["description"] = Value::from(if before.is_empty() { line } else { format!("{before}\n\n{line}") });
    }
    // The same with the errors of SCIM.
    let as_scim: Vec<(String, Value)> = all
        .iter()
        .filter(|(name, _)| name.as_str() != "Problem422")
        .map(|(name, response)| {
            let mut response = response.clone();
            if name == "Problem400" {
                response["description"] =
                    Value::from("The request cannot be read, or the input is not valid; `scimType` says how.");
            }
            response["content"] = json!({scim::MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ScimError"}}});
            (name.replace("Problem", "Scim"), response)
        })
        .collect();
    all.extend(as_scim);
    Value::Object(all)
}

fn security_schemes() -> Value {
    let scopes: Map<String, Value> =
        Scope::ALL.iter().map(|(_, name, what)| ((*name).to_owned(), Value::from(*what))).collect();
    json!({
        "user": {
            "type": "oauth2",
            "description": "Log in with e-mail and password (leave client_id and client_secret empty). Programs use `POST /v1/sessions`.",
            "flows": {"password": {"tokenUrl": "/docs/token", "scopes": {}}},
        },
        "client": {
            "type": "oauth2",
            "description": "A machine client, made with `POST /v1/clients`.",
            "flows": {"clientCredentials": {"tokenUrl": "/oauth/token", "scopes": scopes}},
        },
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "An access token pasted by hand."},
    })
}

/// Headers that operations of a kind take alike. None is ever needed.
fn header_parameters() -> Value {
    let header = |name: &str, description: &str, schema: Value| json!({"name": name, "in": "header", "required": false, "description": description, "schema": schema});
    json!({
        "IdempotencyKey": header(
            "Idempotency-Key",
            "Makes a retry safe: the same key with the same body gets the first answer again, for 24 hours. A new key for each new request.",
            json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}),
        ),
        "IfMatch": header(
            "If-Match",
            "The `ETag` of the version that is to be changed; 412 when it has changed since.",
            json!({"type": "string"}),
        ),
        "IfNoneMatch": header(
            "If-None-Match",
            "The `ETag` of the version that you have; 304 when it is still the current one.",
            json!({"type": "string"}),
        ),
    })
}

/// What single operations can answer besides.
const ALSO: [(&str, u16); 4] =
    [("get_league", 409), ("get_game_report", 409), ("get_practice_item", 409), ("set_game_preferences", 404)];

/// POSTs that change one resource, whose tag they look at.
const TAGGED_POSTS: [&str; 7] = [
    "approve_enrollment",
    "close_game",
    "publish_course",
    "reject_enrollment",
    "revoke_certificate",
    "upgrade_enrollment",
    "withdraw_enrollment",
];

/// Changes of what has no ETag of its own that anybody could have read.
const UNTAGGED: [&str; 13] = [
    "add_group_member",
    "assign_goal",
    "delete_client_secret",
    "delete_evidence",
    "delete_target",
    "end_session",
    "remove_group_member",
    "remove_staff_member",
    "revoke_role",
    "set_clock",
    "set_staff_member",
    "set_sync_settings",
    "unassign_goal",
];

/// Whether a change honours `If-Match`.
fn is_conditional(method: &str, operation: &Map<String, Value>) -> bool {
    let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default();
    match method {
        "put" | "patch" | "delete" => !UNTAGGED.contains(&id),
        "post" => TAGGED_POSTS.contains(&id),
        _ => false,
    }
}

/// Statuses that an operation can answer because of its method, path and security.
///
/// SCIM has no 422: what is wrong with the input is a 400 there.
fn usual_statuses(path: &str, method: &str, operation: &Map<String, Value>) -> Vec<u16> {
    let mut statuses = vec![429, 500, 503];
    if operation.contains_key("requestBody") {
        statuses.extend([400, 413, 415, 422]);
    }
    if operation.contains_key("security") {
        statuses.extend([401, 403]);
    }
    if path.contains('{') {
        statuses.push(404);
    }
    let strict = path.starts_with("/v1/");
    if strict || scim::speaks_at(path) {
        // An unknown query parameter, or a body where none is taken; what monitors and browsers ask for is not so strict.
        statuses.push(422);
    }
    if strict && method != "get" {
        // A body that is no JSON, also where none is taken.
        statuses.push(400);
    }
    let id = operation.get("operationId").and_then(Value::as_str);
    statuses.extend(ALSO.iter().filter(|(of, _)| id == Some(of)).map(|(_, status)| *status));
    match method {
        "post" => statuses.extend([400, 409, 422]),
        "put" | "patch" | "delete" => statuses.push(409),
        _ => {}
    }
    if is_conditional(method, operation) {
        statuses.push(412);
    }
    if scim::speaks_at(path) {
        statuses.iter_mut().filter(|status| **status == 422).for_each(|status| *status = 400);
    }
    statuses
}

fn complete_operation(path: &str, method: &str, operation: &mut Map<String, Value>) {
    let secured = operation.get("security").and_then(Value::as_array).is_some_and(|s| !s.is_empty());
    let oauth = path.starts_with("/oauth");
    let form = if scim::speaks_at(path) { "Scim" } else { "Problem" };
    // `X-Request-Id` works on every operation alike and stands in words. The others are named where they are honoured, for
    // generated clients and for Swagger UI's form, and in words besides, which say it to people.
    let mut words = Vec::new();
    let mut headers = Vec::new();
    // A search changes nothing; repeating it needs no key.
    if method == "post" && secured && !path.ends_with("/.search") {
        words.push("Takes `Idempotency-Key`.");
        headers.push("IdempotencyKey");
    }
    if is_conditional(method, operation) && secured {
        words.push("Honours `If-Match`.");
        headers.push("IfMatch");
    }
    let tagged = has_etag(operation);
    if method == "get" && tagged {
        words.push("Honours `If-None-Match`.");
        headers.push("IfNoneMatch");
    }
    if !words.is_empty() {
        let before = operation.get("description").and_then(Value::as_str).unwrap_or_default().trim_end().to_owned();
        let all = format!("{before}\n\n{}", words.join(" "));
        operation.insert("description".into(), Value::from(all.trim_start()));
        let named = headers.into_iter().map(|name| json!({"$ref": format!("#/components/parameters/{name}")}));
        if let Some(parameters) = operation.entry("parameters").or_insert_with(|| json!([])).as_array_mut() {
            parameters.extend(named);
        }
    }
    let statuses = usual_statuses(path, method, operation);
    let Some(responses) = operation.entry("responses").or_insert_with(|| json!({})).as_object_mut() else { return };
    for (status, response) in responses.iter_mut() {
        if status.starts_with('2') {
            response["headers"]["X-Request-Id"] = json!({"$ref": "#/components/headers/RequestId"});
            let text = response.to_string();
            // A leaderboard is a page with more to it.
            if ["Page_", "LeaderboardOut\""].iter().any(|name| text.contains(&format!("#/components/schemas/{name}"))) {
                response["headers"]["Link"] = json!({"$ref": "#/components/headers/Link"});
            }
        } else if status.starts_with(['4', '5']) && response.get("content").is_none() && !oauth {
            // A handler's own sentence about an error still has the shape of every error.
            response["content"] =
                json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
        }
    }
    if method == "get" && tagged {
        responses.entry("304").or_insert_with(|| json!({"description": "Still the version that If-None-Match names."}));
    }
    for status in statuses {
        responses
            .entry(status.to_string())
            .or_insert_with(|| json!({"$ref": format!("#/components/responses/{form}{status}")}));
    }
    let mut sorted: Vec<(String, Value)> = std::mem::take(responses).into_iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    responses.extend(sorted);
}

/// Whether the 200 answer documents an ETag header.
fn has_etag(operation: &Map<String, Value>) -> bool {
    operation
        .get("responses")
        .and_then(|r| r.get("200"))
        .and_then(|r| r.get("headers"))
        .is_some_and(|h| h.get("ETag").is_some())
}
