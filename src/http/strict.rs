//! Unknown input is an error, never ignored: here for operations that take no query parameters, or no body, at all. Those that take
//! some look at them themselves.

use actix_web::dev::ServiceRequest;
use actix_web::http::{Method, header};

use super::{body, openapi, schema};
use crate::error::{AppError, AppResult, Code, Faults};

/// Bytes of a body that are looked at to name what is wrong with it.
const LOOKED_AT: usize = 64 * 1024;

/// Refuses what the operation does not take.
///
/// # Errors
/// 422 naming each query parameter or member; 400 for a body that is no JSON.
pub async fn check(request: &mut ServiceRequest) -> AppResult<()> {
    let has_body = request.method() != Method::GET
        && (request.headers().get(header::CONTENT_LENGTH).is_some_and(|length| length != "0")
            || request.headers().contains_key(header::TRANSFER_ENCODING));
    if !has_body && request.query_string().is_empty() || !request.path().starts_with("/v1/") {
        return Ok(());
    }
    let Some(takes) = openapi::operation_at(request.method().as_str(), request.path()) else { return Ok(()) };
    if takes.token && !request.headers().contains_key(header::AUTHORIZATION) {
        // Who are you comes first.
        return Ok(());
    }
    let mut faults = Faults::new();
    if !takes.query {
        for pair in request.query_string().split('&').filter(|pair| !pair.is_empty()) {
            let name = pair.split('=').next().unwrap_or_default();
            let detail = format!("There is no parameter `{name}`; this operation has none.");
            faults.add(format!("?{name}"), "unknown_parameter", detail);
        }
    }
    if has_body && !takes.body {
        let (http, payload) = request.parts_mut();
        match body::read(http, payload, LOOKED_AT).await {
            Err(error) if error.code() == Code::TooLarge => nothing_taken(&mut faults),
            read => unexpected(&read?, &mut faults)?,
        }
    }
    faults.finish()
}

/// Many clients send `{}` where there is nothing to say.
fn unexpected(raw: &[u8], faults: &mut Faults) -> AppResult<()> {
    if raw.trim_ascii().is_empty() {
        return Ok(());
    }
    let value: serde_json::Value = serde_json::from_slice(raw).map_err(|error| {
        AppError::new(Code::Malformed, format!("This operation takes no body, and it is no JSON: {error}."))
    })?;
    match value {
        serde_json::Value::Object(members) => {
            for name in members.keys() {
                let detail = format!("There is no field `{name}`; this operation takes no body.");
                faults.add(format!("/{}", schema::escape(name)), "unknown_field", detail);
            }
        }
        _ => nothing_taken(faults),
    }
    Ok(())
}

fn nothing_taken(faults: &mut Faults) {
    faults.add("", "unexpected_body", "This operation takes no body.");
}
