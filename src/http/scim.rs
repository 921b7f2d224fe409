//! What SCIM's answers have of their own: the media type and the form of errors (RFC 7644 §3.12).

use actix_web::http::StatusCode;
use serde_json::{Map, Value};

use crate::error::{AppError, Code, Fault};

/// The media type.
pub const MEDIA_TYPE: &str = "application/scim+json";
/// URI of the message that tells of an error.
pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// Whether SCIM is spoken at this path.
#[must_use]
pub fn speaks_at(path: &str) -> bool {
    path.strip_prefix("/scim").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The status of an error: what is wrong with the input is a 400 here.
#[must_use]
pub fn status(error: &AppError) -> StatusCode {
    match error.code().status() {
        422 => StatusCode::BAD_REQUEST,
        status => StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// The error as SCIM tells it.
#[must_use]
pub fn error(error: &AppError) -> Value {
    let mut body = Map::new();
    body.insert("schemas".into(), vec![Value::from(ERROR)].into());
    body.insert("status".into(), Value::from(status(error).as_str()));
    let keyword = error.extra("scimType").cloned().or_else(|| match error.code() {
        Code::Malformed => Some(Value::from("invalidSyntax")),
        Code::Conflict => Some(Value::from("uniqueness")),
        Code::Invalid | Code::KeyReused => Some(Value::from("invalidValue")),
        _ => None,
    });
    if let Some(keyword) = keyword {
        body.insert("scimType".into(), keyword);
    }
    let told = |fault: &Fault| match fault.pointer.as_str() {
        "" => fault.detail.clone(),
        pointer => format!("{pointer}: {}", fault.detail),
    };
    let faults: Vec<String> = error.errors().iter().map(told).collect();
    let detail = if faults.is_empty() { error.detail().to_owned() } else { faults.join(" ") };
    body.insert("detail".into(), Value::from(detail));
    Value::Object(body)
}
