//! Conditional requests (RFC 9110 §13): `If-Match` guards a change, `If-None-Match` saves a transfer.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, http::header};

use crate::error::{AppError, AppResult, Code};

/// The ETag of a resource's version.
#[must_use]
pub fn version_tag(version: i64) -> String {
    format!("\"{version}\"")
}

/// The request's `If-Match` and `If-None-Match`.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    if_match: Option<String>,
    if_none_match: Option<String>,
}

/// Whether a list names a tag, by weak comparison (RFC 9110 §8.8.3.2).
fn names(list: &str, tag: &str) -> bool {
    list.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

/// The same by strong comparison, which `If-Match` demands: a weak tag is none that a resource could have.
fn names_strongly(list: &str, tag: &str) -> bool {
    list.split(',').map(str::trim).any(|one| one == "*" || one == tag)
}

impl Conditions {
    /// True when `If-None-Match` names this tag.
    #[must_use]
    pub fn knows(&self, tag: &str) -> bool {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        self.if_none_match.as_deref().is_some_and(|list| names(list, tag))
    }

    /// Refuses a change when `If-Match` names another version.
    ///
    /// # Errors
    /// 412 with the current ETag.
    pub fn require(&self, version: i64) -> AppResult<()> {
        self.require_by(&version_tag(version), names_strongly)
    }

    /// The same for the weak tags of SCIM (RFC 7644 §3.14): whether a tag is said to be weak makes no difference.
    ///
    /// # Errors
    /// As [`Conditions::require`].
    pub fn require_tag(&self, tag: &str) -> AppResult<()> {
        self.require_by(tag, |list, tag| names(list, tag.strip_prefix("W/").unwrap_or(tag)))
    }

    fn require_by(&self, tag: &str, named: impl Fn(&str, &str) -> bool) -> AppResult<()> {
        match &self.if_match {
            Some(list) if !named(list, tag) => Err(AppError::new(
                Code::PreconditionFailed,
                format!(
                    "If-Match names another version; the current one is {tag}. Read it again and repeat your change."
                ),
            )
            .with_header(header::ETAG, tag.to_owned())),
            _ => Ok(()),
        }
    }
}

impl Conditions {
    /// As if `If-Match` had been sent with this tag.
    #[must_use]
    pub fn if_match(tag: Option<String>) -> Self {
        Self { if_match: tag, if_none_match: None }
    }
}

impl FromRequest for Conditions {
    type Error = AppError;
    type Future = Ready<AppResult<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        ready(Ok(Self { if_match: text(header::IF_MATCH), if_none_match: text(header::IF_NONE_MATCH) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_needs_the_very_tag_and_a_transfer_but_a_weak_one() {
        for (given, may) in [("\"3\"", true), ("\"2\", \"3\"", true), ("*", true), ("W/\"3\"", false), ("\"2\"", false)]
        {
            let conditions = Conditions { if_match: Some(given.to_owned()), if_none_match: Some(given.to_owned()) };
            assert_eq!(conditions.require(3).is_ok(), may, "{given}");
            assert_eq!(conditions.knows("\"3\""), given != "\"2\"", "{given}");
            assert_eq!(conditions.require_tag("W/\"3\"").is_ok(), given != "\"2\"", "{given}");
        }
    }
}
