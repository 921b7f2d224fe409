//! JSON bodies: read, parsed into the input's type, and when that fails, every fault named.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, http::header, web};
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::schema;
use crate::error::{AppError, AppResult, Code, Fault, Faults};
use crate::state::State;

/// What a client sends: its shape is the type, what the type cannot say is in [`Input::check`].
pub trait Input: DeserializeOwned + ToSchema + 'static {
    /// The list, by its pointer, whose items are read one by one: what is wrong with one of them is that one's fault alone.
    const APART: Option<&'static str> = None;

    /// Adds every fault that the type alone lets through: lengths, ranges, formats.
    fn check(&self, _faults: &mut Faults) {}
}

/// A parsed and checked JSON body.
pub struct Body<T> {
    /// The input.
    pub input: T,
    /// The body as it came, for [`super::commit`].
    pub raw: web::Bytes,
}

impl<T: Input> FromRequest for Body<T> {
    type Error = AppError;
    type Future = Pin<Box<dyn Future<Output = AppResult<Self>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let media_type = check_media_type(request);
        let limit = request.app_data::<web::Data<State>>().map_or(0, |state| state.config.body_limit_bytes);
        let bytes = read(request, payload, limit);
        let may_be_empty = request.method() == actix_web::http::Method::POST;
        Box::pin(async move {
            let raw = bytes.await?;
            media_type?;
            if raw.trim_ascii().is_empty() && !may_be_empty {
                return Err(AppError::new(Code::Malformed, "A JSON body is needed."));
            }
            let input = parse::<T>(&raw)?;
            Ok(Self { input, raw })
        })
    }
}

/// Reads a whole body of at most `limit` bytes.
pub fn read(
    request: &HttpRequest,
    payload: &mut Payload,
    limit: usize,
) -> impl Future<Output = AppResult<web::Bytes>> + use<> {
    let declared =
        request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    let mut payload = payload.take();
    async move {
        use futures_util::StreamExt;
        let too_large = || {
            AppError::new(Code::TooLarge, format!("The body is larger than {limit} bytes.")).with("limit_bytes", limit)
        };
        if declared.is_some_and(|length: usize| length > limit) {
            return Err(too_large());
        }
        let mut all = web::BytesMut::with_capacity(declared.unwrap_or(0));
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| AppError::new(Code::Malformed, "The body ended before it was complete."))?;
            if all.len().saturating_add(chunk.len()) > limit {
                return Err(too_large());
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }
}

/// Refuses bodies that say to be something else than JSON.
///
/// # Errors
/// 415.
pub fn check_media_type(request: &HttpRequest) -> AppResult<()> {
    let Some(value) = request.headers().get(header::CONTENT_TYPE) else { return Ok(()) };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    // It would be taken for a document of the wrong shape, which hides what is wrong.
    if essence == "application/json-patch+json" {
        let detail =
            "JSON Patch (RFC 6902) is not understood. Send a merge patch: application/merge-patch+json (RFC 7396).";
        return Err(AppError::new(Code::UnsupportedMediaType, detail));
    }
    if essence == "application/json" || essence.starts_with("application/") && essence.ends_with("+json") {
        return Ok(());
    }
    Err(AppError::new(Code::UnsupportedMediaType, "Send JSON: Content-Type: application/json."))
}

fn parse<T: Input>(raw: &[u8]) -> AppResult<T> {
    let text = std::str::from_utf8(raw).map_err(|e| {
        AppError::new(Code::Malformed, format!("The body is not UTF-8; the first bad byte is at {}.", e.valid_up_to()))
    })?;
    // A POST whose fields are all optional may be called without a body.
    let text = if text.trim_ascii().is_empty() { "{}" } else { text };
    // The parser would take `[…]` for an object, field by field.
    if text.trim_ascii_start().starts_with('[') {
        serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(not_json)?;
        return Err(AppError::field("", "wrong_type", "This must be of type object."));
    }
    let input: T = match serde_json::from_str(text) {
        Ok(input) => input,
        Err(error) => match whole_numbers(text).and_then(|value| serde_json::from_value(value).ok()) {
            Some(input) => input,
            None => return Err(explain::<T>(text, &error)),
        },
    };
    let mut faults = Faults::new();
    // The parser lets them through; few texts have anything that looks so.
    if schema::may_be_unkeepable(text)
        && let Ok(value) = serde_json::from_str(text)
    {
        schema::find_unkeepable(&T::name(), &value, &mut faults);
        faults.retain(|fault| T::APART.is_none_or(|list| !fault.pointer.starts_with(list)));
    }
    input.check(&mut faults);
    faults.finish()?;
    Ok(input)
}

/// The same document with `3` where it says `3.0`, which JSON Schema counts as an integer and the parser does not; `None` when
/// it has no such number.
fn whole_numbers(text: &str) -> Option<serde_json::Value> {
    fn walk(value: &mut serde_json::Value, changed: &mut bool) {
        use serde_json::Value;
        match value {
            Value::Number(number) if number.is_f64() => {
                // Up to 2^53 every whole f64 is written without a fraction, so its text is the integer.
                let whole = number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() <= 9_007_199_254_740_992.0);
                if let Some(whole) = whole.and_then(|n| format!("{n:.0}").parse::<i64>().ok()) {
                    *value = Value::from(whole);
                    *changed = true;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| walk(item, changed)),
            Value::Object(members) => members.values_mut().for_each(|member| walk(member, changed)),
            _ => {}
        }
    }
    let mut value = serde_json::from_str(text).ok()?;
    let mut changed = false;
    walk(&mut value, &mut changed);
    changed.then_some(value)
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn not_json(error: serde_json::Error) -> AppError {
    AppError::new(Code::Malformed, format!("The body is not JSON: {error}."))
}

/// The parser stops at the first fault; the schema finds them all.
fn explain<T: Input>(text: &str, error: &serde_json::Error) -> AppError {
    match serde_json::from_str::<serde_json::Value>(text) {
        Err(error) => not_json(error),
        Ok(value) => {
            let mut faults = Faults::new();
            schema::find_unkeepable(&T::name(), &value, &mut faults);
            schema::find_faults(&T::name(), &value, &mut faults);
            if faults.is_empty() {
                faults.add("", "invalid", without_position(error));
            }
            check_rest::<T>(value, &mut faults);
            AppError::invalid(faults.into_vec())
        }
    }
}

/// Where all that keeps an input from being read is that it has members too many, the rest of it is read without them and checked,
/// so that one answer names all.
fn check_rest<T: Input>(mut value: serde_json::Value, faults: &mut Faults) {
    let unknown: Vec<String> =
        faults.iter().filter(|fault| fault.code == "unknown_field").map(|fault| fault.pointer.clone()).collect();
    let readable = |fault: &Fault| matches!(fault.code.as_ref(), "unknown_field" | "nul_character");
    if unknown.is_empty() || !faults.iter().all(readable) {
        return;
    }
    for pointer in unknown {
        let Some((parent, name)) = pointer.rsplit_once('/') else { return };
        let name = name.replace("~1", "/").replace("~0", "~");
        if let Some(members) = value.pointer_mut(parent).and_then(serde_json::Value::as_object_mut) {
            members.remove(&name);
        }
    }
    if let Ok(input) = serde_json::from_value::<T>(value) {
        input.check(faults);
    }
}

/// Reads and checks an input that stands in another, with every fault named.
///
/// # Errors
/// 422 with every fault.
pub fn checked<T: Input>(value: serde_json::Value) -> AppResult<T> {
    let mut faults = Faults::new();
    match serde_json::from_value::<T>(value.clone()) {
        Ok(input) => {
            input.check(&mut faults);
            faults.finish().map(|()| input)
        }
        Err(error) => {
            schema::find_faults(&T::name(), &value, &mut faults);
            if faults.is_empty() {
                faults.add("", "invalid", error.to_string());
            }
            check_rest::<T>(value, &mut faults);
            Err(AppError::invalid(faults.into_vec()))
        }
    }
}

fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message).to_owned()
}

/// Reads an input from JSON that was made here, such as a merged document, with the same faults as a body would have.
///
/// # Errors
/// 422 with every fault.
pub fn from_value<T: DeserializeOwned + ToSchema>(value: serde_json::Value) -> AppResult<T> {
    let mut faults = Faults::new();
    schema::find_unkeepable(&T::name(), &value, &mut faults);
    match serde_json::from_value(value.clone()) {
        Ok(input) => faults.finish().map(|()| input),
        Err(error) => {
            schema::find_faults(&T::name(), &value, &mut faults);
            if faults.is_empty() {
                faults.add("", "invalid", error.to_string());
            }
            Err(AppError::invalid(faults.into_vec()))
        }
    }
}
