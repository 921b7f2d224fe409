//! SQL of SCIM: users and groups found by sieves, in pages of a stable order.

pub mod groups;
pub mod users;

use chrono::{DateTime, Utc};

use crate::domain::scim::sieve::Match;

/// Where a page begins.
#[derive(Debug, Clone)]
pub enum From {
    /// After so many.
    Offset(i64),
    /// After the one with this key and id.
    After(Key, uuid::Uuid),
}

/// What a resource is sorted by.
#[derive(Debug, Clone)]
pub enum Key {
    /// Its id alone.
    Id,
    /// Its name, in lower case.
    Name(String),
    /// When it was made or changed.
    At(DateTime<Utc>),
}

/// An order that an index has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By id, which is the order of making.
    Id,
    /// By `userName` or `displayName`.
    Name,
    /// By `meta.created`.
    Created,
    /// By `meta.lastModified`; of users only.
    Changed,
}

/// A pattern for LIKE, with `\` as escape.
fn pattern(how: Match, text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    match how {
        Match::Is => escaped,
        Match::Contains => format!("%{escaped}%"),
        Match::Starts => format!("{escaped}%"),
        Match::Ends => format!("%{escaped}"),
    }
}
