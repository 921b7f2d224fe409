//! Keyset pages: every list is ordered by a stable unique key and continues after the last one seen.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{AppError, AppResult};

/// Rows a page holds when the caller does not say.
pub const DEFAULT_LIMIT: i64 = 50;
/// Rows a page holds at most.
pub const MAX_LIMIT: i64 = 200;

/// Where the next page begins. Opaque to clients, so that its content may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Id of the last item of the page before.
    pub after: Uuid,
}

impl Cursor {
    /// The text that clients carry.
    #[must_use]
    pub fn encode(self) -> String {
        URL_SAFE_NO_PAD.encode(self.after.as_bytes())
    }

    /// Reads what [`Cursor::encode`] made.
    ///
    /// # Errors
    /// 422 on the query parameter `after`.
    pub fn decode(text: &str) -> AppResult<Self> {
        URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|bytes| Uuid::from_slice(&bytes).ok())
            .map(|after| Self { after })
            .ok_or_else(|| {
                AppError::field("?after", "invalid_cursor", "This is not a cursor that a list of Cairn gave out.")
            })
    }
}

/// What part of a list is wanted.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest {
    /// Rows wanted, 1 to [`MAX_LIMIT`].
    pub limit: i64,
    /// Continue after this id.
    pub after: Option<Uuid>,
}

impl PageRequest {
    /// Rows to ask the database for: one more than wanted, to know whether there is a next page.
    #[must_use]
    pub fn fetch(&self) -> i64 {
        self.limit.saturating_add(1)
    }
}

/// Rows of one page and where the next begins.
#[derive(Debug, Clone)]
pub struct Rows<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Cursor of the next page, if there is one.
    pub next: Option<String>,
}

impl<T> Rows<T> {
    /// Cuts what [`PageRequest::fetch`] brought to the page's size.
    #[must_use]
    pub fn cut(mut fetched: Vec<T>, page: &PageRequest, id: impl Fn(&T) -> Uuid) -> Self {
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let more = fetched.len() > limit;
        fetched.truncate(limit);
        let next = if more { fetched.last().map(|last| Cursor { after: id(last) }.encode()) } else { None };
        Self { items: fetched, next }
    }

    /// The same page with other rows.
    #[must_use]
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Rows<U> {
        Rows { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}
