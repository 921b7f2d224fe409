//! Lists (RFC 7644 §3.4.2, RFC 9865): what a client asks for, the keys that resources are sorted by, and cursors.

use std::cmp::Ordering;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::attribute::Kind;
use super::filter::Filter;
use super::path::AttrPath;
use super::project::Projection;
use super::schemas::ResourceType;
use super::{ErrorType, Fault, Outcome};

/// Resources on a page when the client does not say.
pub const DEFAULT_COUNT: i64 = 100;
/// Resources on a page at most.
pub const MAX_COUNT: i64 = 500;
/// Seconds for which a cursor is good.
pub const CURSOR_SECONDS: i64 = 3_600;
/// URI of a search.
pub const SEARCH_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
/// URI of a list.
pub const LIST_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// Characters of a text that its order is told by.
const KEY_LENGTH: usize = 256;

/// What a client asks of a list, as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the parameters of RFC 7644 §3.4.2 and RFC 9865")]
pub struct Wish {
    pub filter: Option<String>,
    pub sort_by: Option<String>,
    pub sort_order: Option<String>,
    pub start_index: Option<String>,
    pub count: Option<String>,
    pub cursor: Option<String>,
    pub attributes: Option<String>,
    pub excluded_attributes: Option<String>,
}

/// Which page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paging {
    /// From this position on; 1 is the first.
    Index(i64),
    /// After this cursor, or from the beginning.
    Cursor(Option<String>),
}

/// A sorted attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// Which.
    pub path: AttrPath,
    /// Whether the case of texts counts.
    case_exact: bool,
}

/// What a client asks of a list, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Which resources.
    pub filter: Option<Filter>,
    /// By what they are sorted; by id when absent.
    pub sort: Option<Sort>,
    /// Smallest first.
    pub ascending: bool,
    /// Which page.
    pub paging: Paging,
    /// How many at most.
    pub count: i64,
    /// What is shown of each.
    pub projection: Projection,
}

impl Wish {
    /// Reads a search from a body (RFC 7644 §3.4.3).
    ///
    /// # Errors
    /// `invalidSyntax` naming every member that is wrong.
    pub fn from_body(body: &Map<String, Value>) -> Outcome<Self> {
        let mut wish = Self::default();
        let mut faults = Vec::new();
        let mut named = false;
        for (name, value) in body {
            let text = || value.as_str().map(str::to_owned);
            let number = || value.as_i64().map(|n| n.to_string());
            let list = || {
                let all = value.as_array()?.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?;
                Some(all.join(","))
            };
            let (slot, read) = match name.to_ascii_lowercase().as_str() {
                "schemas" => {
                    named = value.as_array().is_some_and(|all| all.iter().any(|uri| uri == SEARCH_REQUEST));
                    continue;
                }
                "filter" => (&mut wish.filter, text()),
                "sortby" => (&mut wish.sort_by, text()),
                "sortorder" => (&mut wish.sort_order, text()),
                "startindex" => (&mut wish.start_index, number()),
                "count" => (&mut wish.count, number()),
                "cursor" => (&mut wish.cursor, text()),
                "attributes" => (&mut wish.attributes, list().or_else(text)),
                "excludedattributes" => (&mut wish.excluded_attributes, list().or_else(text)),
                _ => {
                    faults.push(format!("{name}: a search has no such member"));
                    continue;
                }
            };
            if read.is_none() && !value.is_null() {
                faults.push(format!("{name}: its value is of the wrong kind"));
            }
            *slot = read;
        }
        if !named {
            faults.push(format!("schemas: [\"{SEARCH_REQUEST}\"] is needed"));
        }
        if faults.is_empty() { Ok(wish) } else { Err(Fault::new(ErrorType::InvalidSyntax, faults.join("; "))) }
    }

    /// Reads what was asked of resources of this type.
    ///
    /// # Errors
    /// `invalidFilter`, `invalidPath`, `invalidValue`, `invalidCount`.
    pub fn read(&self, of: &ResourceType) -> Outcome<Request> {
        let invalid = |what: String| Fault::new(ErrorType::InvalidValue, what);
        let number = |name: &str, text: &str| {
            text.parse::<i64>().map_err(|_| invalid(format!("{name}: a whole number is needed")))
        };
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        if self.cursor.is_some() && self.start_index.is_some() {
            return Err(invalid("cursor and startIndex exclude each other".into()));
        }
        let count = match (&self.count, &self.cursor) {
            (None, _) => DEFAULT_COUNT,
            (Some(text), None) => number("count", text)?.clamp(0, MAX_COUNT),
            (Some(text), Some(_)) => match text.parse::<i64>() {
                Ok(n) if n >= 0 => n.min(MAX_COUNT),
                _ => return Err(Fault::new(ErrorType::InvalidCount, "count: a whole number from 0 is needed")),
            },
        };
        let paging = match (&self.cursor, &self.start_index) {
            (Some(cursor), _) => Paging::Cursor(Some(cursor.clone()).filter(|text| !text.is_empty())),
            (None, Some(text)) => Paging::Index(number("startIndex", text)?.max(1)),
            (None, None) => Paging::Index(1),
        };
        let ascending = match given(&self.sort_order).map(|text| text.to_ascii_lowercase()).as_deref() {
            None | Some("ascending") => true,
            Some("descending") => false,
            Some(_) => return Err(invalid("sortOrder: ascending or descending is needed".into())),
        };
        let sort = given(&self.sort_by).map(|text| Sort::parse(text.trim(), of)).transpose()?;
        Ok(Request {
            filter: given(&self.filter).map(|text| Filter::parse(&text, of)).transpose()?,
            // An order without an attribute says nothing.
            ascending: ascending || sort.is_none(),
            sort,
            paging,
            count,
            projection: Projection::parse(self.attributes.as_deref(), self.excluded_attributes.as_deref(), of)?,
        })
    }

    /// What a cursor belongs to: the question without the page.
    #[must_use]
    pub fn question(&self, of: &str) -> String {
        let text = |part: &Option<String>| part.as_deref().unwrap_or_default().trim().to_owned();
        [of.to_owned(), text(&self.filter), text(&self.sort_by), text(&self.sort_order).to_ascii_lowercase()].join("\n")
    }
}

impl Sort {
    fn parse(text: &str, of: &ResourceType) -> Outcome<Self> {
        let bad = |what: &str| Fault::new(ErrorType::InvalidPath, format!("sortBy: {what}"));
        let mut path = AttrPath::parse(text, of).ok_or_else(|| bad("this is no attribute's name"))?;
        let mut leaf = path.leaf(of).ok_or_else(|| bad("there is no such attribute"))?;
        if leaf.kind == Kind::Complex {
            leaf = leaf.part("value").ok_or_else(|| bad("it has parts; name one of them"))?;
            path.sub = Some(leaf.name.to_owned());
        }
        Ok(Self { path, case_exact: leaf.case_exact })
    }

    /// What a resource is sorted by: of a list its primary element, or its first.
    #[must_use]
    pub fn key(&self, resource: &Map<String, Value>) -> Option<String> {
        let value = self.path.value(resource)?;
        let one = match value {
            Value::Array(items) => items.iter().find(|i| i["primary"] == true).or_else(|| items.first())?,
            one => one,
        };
        let leaf = match &self.path.sub {
            Some(sub) => one.get(sub)?,
            None => one,
        };
        let text = match leaf {
            Value::String(text) => text.clone(),
            Value::Null => return None,
            other => other.to_string(),
        };
        let text = if self.case_exact { text } else { text.to_lowercase() };
        Some(text.chars().take(KEY_LENGTH).collect())
    }
}

/// Where a resource stands in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// What it is sorted by.
    pub key: Option<String>,
    /// Users before groups.
    pub group: bool,
    /// Its id.
    pub id: Uuid,
}

impl Spot {
    /// The order of two: what has no key is last (RFC 7644 §3.4.2.3), and first when the order is turned round.
    #[must_use]
    pub fn compare(&self, other: &Self, ascending: bool) -> Ordering {
        let rank = |spot: &Self| (spot.key.is_none(), spot.key.clone(), spot.group, spot.id);
        let order = rank(self).cmp(&rank(other));
        if ascending { order } else { order.reverse() }
    }

    /// The cursor of the page after this one.
    #[must_use]
    pub fn cursor(&self, question: &str, now: i64) -> String {
        let text = json!([self.key, self.group, self.id, now, hash(question)]).to_string();
        URL_SAFE_NO_PAD.encode(text)
    }

    /// Reads a cursor.
    ///
    /// # Errors
    /// `invalidCursor`, `expiredCursor`.
    pub fn from_cursor(text: &str, question: &str, now: i64) -> Outcome<Self> {
        let bad = || Fault::new(ErrorType::InvalidCursor, "This cursor was not given out for this list.");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| bad())?;
        let (key, group, id, made, of): (Option<String>, bool, Uuid, i64, u64) =
            serde_json::from_slice(&bytes).map_err(|_| bad())?;
        if of != hash(question) || key.as_deref().is_some_and(|key| key.contains('\0')) {
            return Err(bad());
        }
        if now.saturating_sub(made) > CURSOR_SECONDS {
            return Err(Fault::new(ErrorType::ExpiredCursor, "This cursor is too old. Begin again."));
        }
        Ok(Self { key, group, id })
    }
}

/// FNV-1a: tells questions apart, and need not resist anybody, since a cursor only says where to go on.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::super::schemas::USERS;
    use super::*;

    fn wish(change: impl FnOnce(&mut Wish)) -> Outcome<Request> {
        let mut wish = Wish::default();
        change(&mut wish);
        wish.read(&USERS)
    }

    #[test]
    fn numbers_that_make_no_page_are_made_to_or_refused() {
        assert_eq!(wish(|w| w.count = Some("0".into())).unwrap().count, 0);
        assert_eq!(wish(|w| w.count = Some("-3".into())).unwrap().count, 0);
        assert_eq!(wish(|w| w.count = Some("9999".into())).unwrap().count, MAX_COUNT);
        assert_eq!(wish(|w| w.start_index = Some("-3".into())).unwrap().paging, Paging::Index(1));
        assert_eq!(wish(|w| w.start_index = Some("x".into())).unwrap_err().kind, ErrorType::InvalidValue);
        let cursor = |count: &str| wish(|w| (w.cursor, w.count) = (Some(String::new()), Some(count.into())));
        assert_eq!(cursor("-1").unwrap_err().kind, ErrorType::InvalidCount);
        assert_eq!(cursor("ten").unwrap_err().kind, ErrorType::InvalidCount);
        assert_eq!(cursor("5").unwrap().paging, Paging::Cursor(None));
    }

    #[test]
    fn cursors_are_of_one_list_and_grow_old() {
        let spot = Spot { key: Some("ada".into()), group: false, id: Uuid::from_u128(7) };
        let text = spot.cursor("q", 1_000);
        assert_eq!(Spot::from_cursor(&text, "q", 1_000 + CURSOR_SECONDS), Ok(spot));
        for (text, question, now, kind) in [
            (text.as_str(), "other", 1_000, ErrorType::InvalidCursor),
            ("rubbish", "q", 1_000, ErrorType::InvalidCursor),
            (text.as_str(), "q", 1_001 + CURSOR_SECONDS, ErrorType::ExpiredCursor),
        ] {
            assert_eq!(Spot::from_cursor(text, question, now).unwrap_err().kind, kind);
        }
    }

    #[test]
    fn what_has_no_key_is_last_and_first_the_other_way_round() {
        let spot = |key: Option<&str>| Spot { key: key.map(str::to_owned), group: false, id: Uuid::nil() };
        let mut all = [spot(None), spot(Some("b")), spot(Some("a"))];
        all.sort_by(|a, b| a.compare(b, true));
        assert_eq!(all, [spot(Some("a")), spot(Some("b")), spot(None)]);
        all.sort_by(|a, b| a.compare(b, false));
        assert_eq!(all, [spot(None), spot(Some("b")), spot(Some("a"))]);
    }

    #[test]
    fn of_a_list_the_primary_element_counts() {
        let sort = wish(|w| w.sort_by = Some("emails".into())).unwrap().sort.unwrap();
        let ada = json!({"emails": [{"value": "B@x"}, {"value": "A@x", "primary": true}]});
        assert_eq!(sort.key(ada.as_object().unwrap()).as_deref(), Some("a@x"));
        assert!(wish(|w| w.sort_by = Some("name".into())).is_err());
        assert!(wish(|w| w.sort_by = Some("shoeSize".into())).is_err());
    }

    #[test]
    fn a_search_names_its_faults() {
        let body = json!({"schemas": [], "filter": 3, "colour": "red", "count": "x"});
        let fault = Wish::from_body(body.as_object().unwrap()).unwrap_err();
        for part in ["schemas", "filter", "colour", "count"] {
            assert!(fault.detail.contains(part), "{part} in {}", fault.detail);
        }
        let body = json!({"schemas": [SEARCH_REQUEST], "attributes": ["userName", "emails"], "startIndex": 3});
        let wish = Wish::from_body(body.as_object().unwrap()).unwrap();
        assert_eq!((wish.attributes.as_deref(), wish.start_index.as_deref()), (Some("userName,emails"), Some("3")));
    }
}
