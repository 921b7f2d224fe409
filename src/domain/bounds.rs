//! What the formats of the API can hold: numbers (`int32` and `int64` are signed, also where nothing below 0 makes sense) and instants
//! (RFC 3339 has years of four digits).

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

/// Days that a setting may add to an instant at most, some hundred years.
pub const MAX_DAYS: u32 = 36_500;
/// The same in seconds.
pub const MAX_SECONDS: u64 = 36_500 * 86_400;

const fn instant(seconds: i64, nanos: u32) -> DateTime<Utc> {
    match DateTime::from_timestamp(seconds, nanos) {
        Some(at) => at,
        None => DateTime::UNIX_EPOCH,
    }
}

/// The first instant that there is: the beginning of the year 1.
pub const FIRST: DateTime<Utc> = instant(-62_135_596_800, 0);
/// The last one: the end of the year 9999, to the microsecond.
pub const LAST: DateTime<Utc> = instant(253_402_300_799, 999_999_000);

/// `at + delta`, or the end of time.
#[must_use]
pub fn later(at: DateTime<Utc>, delta: TimeDelta) -> DateTime<Utc> {
    at.checked_add_signed(delta).map_or(LAST, |at| at.min(LAST))
}

/// Whether a text is an instant that no answer could hold.
#[must_use]
pub fn is_beyond(text: &str) -> bool {
    // Only these can be: a year of four digits elsewhere, or a time zone's hours away from one end.
    let may = text.starts_with(['+', '-']) || ["0000-", "0001-01-01", "9999-12-31"].iter().any(|s| text.starts_with(s));
    may && text.parse::<DateTime<Utc>>().is_ok_and(|at| !(FIRST..=LAST).contains(&at))
}

/// A number that a format of the API must hold.
pub trait Formatted {
    /// Whether it does.
    fn fits(&self) -> bool;
}

impl Formatted for u32 {
    fn fits(&self) -> bool {
        i32::try_from(*self).is_ok()
    }
}

impl Formatted for u64 {
    fn fits(&self) -> bool {
        i64::try_from(*self).is_ok()
    }
}

impl<T: Formatted> Formatted for Option<T> {
    fn fits(&self) -> bool {
        self.as_ref().is_none_or(T::fits)
    }
}

/// Reads a number from input, for `#[serde(deserialize_with)]`: what its format cannot hold is refused as a wrong type would be, so
/// that the schema names it with all other faults.
///
/// # Errors
/// For numbers that are too large.
pub fn formatted<'de, D: Deserializer<'de>, T: Formatted + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    let number = T::deserialize(deserializer)?;
    if number.fits() { Ok(number) } else { Err(de::Error::custom("This number is too large.")) }
}

/// A number from `MIN` to `MAX`, as the document says. Read is any, so that one outside is named with the other faults of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Within<const MIN: u32, const MAX: u32>(pub u64);

impl<const MIN: u32, const MAX: u32> Within<MIN, MAX> {
    /// Whether it lies there.
    #[must_use]
    pub fn holds(self) -> bool {
        (u64::from(MIN)..=u64::from(MAX)).contains(&self.0)
    }
}

impl<const MIN: u32, const MAX: u32> PartialSchema for Within<MIN, MAX> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .minimum(Some(MIN))
            .maximum(Some(MAX))
            .into()
    }
}

impl<const MIN: u32, const MAX: u32> ToSchema for Within<MIN, MAX> {
    fn name() -> Cow<'static, str> {
        format!("From{MIN}To{MAX}").into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn instants_have_years_of_four_digits() {
        assert_eq!(FIRST.to_rfc3339(), "0001-01-01T00:00:00+00:00");
        assert_eq!(LAST.to_rfc3339(), "9999-12-31T23:59:59.999999+00:00");
        assert_eq!((later(LAST, TimeDelta::days(1)), later(FIRST, TimeDelta::MAX)), (LAST, LAST));
        for text in
            ["-5000-01-01T00:00:00Z", "+10000-01-01T00:00:00Z", "0000-12-31T23:59:59Z", "9999-12-31T23:59:59-01:00"]
        {
            assert!(is_beyond(text), "{text}");
        }
        for text in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-11-23T09:00:00Z", "-1", "+33 1", "", "0000-"]
        {
            assert!(!is_beyond(text), "{text}");
        }
    }

    #[derive(Deserialize)]
    struct Numbers {
        #[serde(deserialize_with = "formatted")]
        _a: u32,
        #[serde(default, deserialize_with = "formatted")]
        _b: Option<u64>,
    }

    #[test]
    fn what_a_signed_format_cannot_hold_is_refused() {
        let read = |value: serde_json::Value| serde_json::from_value::<Numbers>(value).is_ok();
        assert!(
            read(json!({"_a": i32::MAX}))
                && read(json!({"_a": 0, "_b": i64::MAX}))
                && read(json!({"_a": 0, "_b": null}))
        );
        assert!(!read(json!({"_a": i64::from(i32::MAX) + 1})) && !read(json!({"_a": 0, "_b": u64::MAX})));
    }
}
