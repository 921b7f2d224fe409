//! A field of a merge patch (RFC 7396): absent, null, or a value.

use serde::{Deserialize, Deserializer};

use crate::domain::bounds::Formatted;

/// What a merge patch says about one field. Give it `#[serde(default)]`, so that an absent field is [`Patch::Absent`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// The field is not in the patch: keep what is there.
    #[default]
    Absent,
    /// The field is null: remove what is there.
    Null,
    /// The field has a value: put it there.
    Value(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<T>::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}

impl<T: Formatted> Formatted for Patch<T> {
    fn fits(&self) -> bool {
        self.value().is_none_or(T::fits)
    }
}

impl<T> Patch<T> {
    /// The new value of a field that may be empty.
    pub fn over(self, old: Option<T>) -> Option<T> {
        match self {
            Self::Absent => old,
            Self::Null => None,
            Self::Value(new) => Some(new),
        }
    }

    /// The value, if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }
}
