//! Query parameters: an unknown or wrong one is an error, and all of them are named at once.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::db::page::{Cursor, DEFAULT_LIMIT, MAX_LIMIT, PageRequest};
use crate::error::{AppError, AppResult, Faults};

/// Parsed query parameters. Every field of `T` must be optional.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + IntoParams> FromRequest for Query<T> {
    type Error = AppError;
    type Future = Ready<AppResult<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parse(request.query_string()).map(Self))
    }
}

fn parse<T: DeserializeOwned + IntoParams>(query: &str) -> AppResult<T> {
    if let Ok(value) = actix_web::web::Query::<T>::from_query(query)
        && !query.contains("%00")
        && is_text(query)
    {
        return Ok(value.into_inner());
    }
    let parameters = T::into_params(|| None);
    let known: Vec<&str> = parameters.iter().map(|p| p.name.as_str()).collect();
    let mut faults = Faults::new();
    let mut seen: Vec<&str> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !known.contains(&name) {
            faults.add(
                format!("?{name}"),
                "unknown_parameter",
                format!("There is no parameter `{name}`; there are {}.", known.join(", ")),
            );
        } else if seen.contains(&name) {
            faults.add(format!("?{name}"), "repeated_parameter", "This parameter is given twice.");
        } else if value.contains("%00") {
            faults.add(format!("?{name}"), "nul_character", "Text must not contain the character U+0000.");
        } else if !is_text(value) {
            faults.add(format!("?{name}"), "not_utf8", "Percent-encode UTF-8; these bytes are none.");
        } else if actix_web::web::Query::<T>::from_query(pair).is_err() {
            let schema = parameters.iter().find(|p| p.name == name).and_then(|p| serde_json::to_value(&p.schema).ok());
            faults.add(format!("?{name}"), "invalid_parameter", expected(&schema.unwrap_or_default()));
        }
        seen.push(name);
    }
    if faults.is_empty() {
        faults.add("?", "invalid_query", "The query cannot be read.");
    }
    Err(AppError::invalid(faults.into_vec()))
}

/// Whether what is percent-encoded is UTF-8; the parser would put U+FFFD where it is not.
fn is_text(query: &str) -> bool {
    let digit =
        |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16)).and_then(|n| u8::try_from(n).ok());
    let mut bytes = Vec::with_capacity(query.len());
    let mut rest = query.bytes();
    while let Some(byte) = rest.next() {
        let mut ahead = rest.clone();
        match (byte, digit(ahead.next()), digit(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(high << 4 | low);
                rest = ahead;
            }
            _ => bytes.push(byte),
        }
    }
    std::str::from_utf8(&bytes).is_ok()
}

/// What a parameter of this schema must be, for people.
fn expected(schema: &serde_json::Value) -> String {
    let text = |name: &str| schema.get(name).and_then(|v| v.as_str()).unwrap_or_default();
    let kinds = schema.get("type").map(ToString::to_string).unwrap_or_default();
    let what = match text("format") {
        "date-time" => "an instant as RFC 3339 writes it, such as 2026-11-24T09:00:00Z",
        "date" => "a date such as 2026-11-24",
        "uuid" => "a UUID",
        _ if kinds.contains("integer") => "a whole number",
        _ if kinds.contains("number") => "a number",
        _ if kinds.contains("boolean") => "true or false",
        _ => match schema.get("enum").and_then(|v| v.as_array()) {
            Some(names) => {
                let names: Vec<&str> = names.iter().filter_map(|name| name.as_str()).collect();
                return format!("This must be one of {}.", names.join(", "));
            }
            None => "of the form that the document describes",
        },
    };
    format!("This must be {what}.")
}

/// The page that `limit` and `after` ask for.
///
/// # Errors
/// 422 naming both when both are wrong.
pub fn page(limit: Option<i64>, after: Option<&str>) -> AppResult<PageRequest> {
    let mut faults = Faults::new();
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        faults.add("?limit", "out_of_range", format!("limit must be between 1 and {MAX_LIMIT}."));
    }
    let after = match after.map(Cursor::decode).transpose() {
        Ok(cursor) => cursor.map(|c| c.after),
        Err(error) => {
            for fault in error.errors() {
                faults.add(fault.pointer.clone(), fault.code.clone(), fault.detail.clone());
            }
            None
        }
    };
    faults.finish()?;
    Ok(PageRequest { limit, after })
}

#[cfg(test)]
mod tests {
    use super::is_text;

    #[test]
    fn what_is_percent_encoded_must_be_utf8() {
        for (query, text) in [
            ("title=caf%C3%A9", true),
            ("title=100%", true),
            ("title=%zz&x=%2", true),
            ("a=%F0%9F%8C%B1", true),
            ("title=%ff", false),
            ("title=%C3", false),
            ("title=%C3&x=%A9", false),
            ("%ed%a0%80=1", false),
        ] {
            assert_eq!(is_text(query), text, "{query}");
        }
    }
}
