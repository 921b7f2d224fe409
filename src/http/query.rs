//! Query parameters: an unknown or wrong one is an error, and all of them are named at once.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;
use serde_json::json;
use utoipa::IntoParams;

use super::schema::BEYOND;
use crate::db::page::{Cursor, DEFAULT_LIMIT, MAX_LIMIT, PageRequest};
use crate::domain::bounds::is_beyond;
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
        && !pairs(query).any(|(_, value)| beyond(value))
    {
        return Ok(value.into_inner());
    }
    let parameters = T::into_params(|| None);
    let known: Vec<&str> = parameters.iter().map(|p| p.name.as_str()).collect();
    let mut faults = Faults::new();
    let mut seen: Vec<&str> = Vec::new();
    for (name, value) in pairs(query) {
        let schema = || parameters.iter().find(|p| p.name == name).and_then(|p| serde_json::to_value(&p.schema).ok());
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
        } else if actix_web::web::Query::<T>::from_query(&format!("{name}={value}")).is_err() {
            faults.add(format!("?{name}"), "invalid_parameter", expected(&schema().unwrap_or_default()));
        } else if beyond(value) && schema().is_some_and(|schema| schema.get("format") == Some(&json!("date-time"))) {
            faults.add(format!("?{name}"), "out_of_range", BEYOND);
        }
        seen.push(name);
    }
    match actix_web::web::Query::<T>::from_query(query) {
        // A text that only looks like an instant.
        Ok(value) if faults.is_empty() => return Ok(value.into_inner()),
        Err(_) if faults.is_empty() => faults.add("?", "invalid_query", "The query cannot be read."),
        _ => {}
    }
    Err(AppError::invalid(faults.into_vec()))
}

/// Names and values as they stand in the query.
fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Whether a value is an instant that no answer could hold.
fn beyond(value: &str) -> bool {
    String::from_utf8(decoded(value)).is_ok_and(|text| is_beyond(&text))
}

/// Whether what is percent-encoded is UTF-8; the parser would put U+FFFD where it is not.
fn is_text(query: &str) -> bool {
    std::str::from_utf8(&decoded(query)).is_ok()
}

/// The bytes that are percent-encoded.
fn decoded(query: &str) -> Vec<u8> {
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
    bytes
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
