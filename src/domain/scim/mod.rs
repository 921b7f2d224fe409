//! SCIM 2.0 (RFC 7643, RFC 7644) as data: which attributes there are, filters, PATCH, what a client gets to see. Resources are
//! JSON objects with the attribute names of the schemas, whatever case the client wrote.
//!
//! Nothing here knows of databases or HTTP; `features::scim` has the endpoints.

pub mod attribute;
pub mod bulk;
pub mod filter;
pub mod input;
pub mod list;
pub mod patch;
pub mod path;
pub mod person;
pub mod project;
pub mod schemas;
pub mod sieve;

use std::fmt;

/// The keyword of an error (RFC 7644 §3.12, table 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorType {
    /// The filter is not well-formed, or compares what cannot be compared.
    InvalidFilter,
    /// Too many resources would have to be looked at.
    TooMany,
    /// A value that must be unique is taken.
    Uniqueness,
    /// The attribute cannot be changed so.
    Mutability,
    /// The body is not of the right form.
    InvalidSyntax,
    /// The path of a PATCH operation is not well-formed.
    InvalidPath,
    /// The path of a PATCH operation finds nothing.
    NoTarget,
    /// A value is missing or of the wrong kind.
    InvalidValue,
    /// The cursor was not given out by this server, or for another list (RFC 9865 §2.3).
    InvalidCursor,
    /// The cursor is too old.
    ExpiredCursor,
    /// The size of the page is no number that a page can have.
    InvalidCount,
}

impl ErrorType {
    /// The keyword as it stands in `scimType`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
        }
    }
}

/// What is wrong with a request, in the protocol's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The keyword.
    pub kind: ErrorType,
    /// For people.
    pub detail: String,
}

impl Fault {
    /// A fault of this kind.
    #[must_use]
    pub fn new(kind: ErrorType, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.as_str(), self.detail)
    }
}

/// Result of what may be wrong in the protocol's words.
pub type Outcome<T> = Result<T, Fault>;
