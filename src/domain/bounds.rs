//! Numbers that the formats of the API can hold: `int32` and `int64` are signed, also where nothing below 0 makes sense.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

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
