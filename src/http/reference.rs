//! How a path names a resource: by id, or by `ext:<external_id>`.

use std::fmt;

use serde::{Deserialize, Deserializer};
use uuid::Uuid;

use crate::error::AppResult;

/// A user, course or group in a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Ref {
    /// By Cairn's id.
    Id(Uuid),
    /// By the id that an outside system owns.
    External(String),
}

impl Ref {
    /// The id, when it is named by one.
    #[must_use]
    pub fn id(&self) -> Option<Uuid> {
        match self {
            Self::Id(id) => Some(*id),
            Self::External(_) => None,
        }
    }

    /// Turns a filter by an external id into one by id; one that nobody has finds nothing.
    ///
    /// # Errors
    /// Database errors.
    pub fn settle(filter: &mut Option<Self>, find: impl FnOnce(&Self) -> AppResult<Option<Uuid>>) -> AppResult<()> {
        if let Some(external @ Self::External(_)) = filter {
            *filter = Some(Self::Id(find(external)?.unwrap_or_default()));
        }
        Ok(())
    }

    /// Reads a UUID or `ext:<external_id>`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("ext:") {
            Some(external) => Some(Self::External(external.to_owned())).filter(|_| !external.contains('\0')),
            None => Uuid::try_parse(text).ok().map(Self::Id),
        }
    }
}

impl<'de> Deserialize<'de> for Ref {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("neither an id nor ext:<external_id>"))
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::External(external) => write!(f, "ext:{external}"),
        }
    }
}
