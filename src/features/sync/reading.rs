//! The list as it comes: JSON, NDJSON or (in `table`) CSV, in any encoding, into employees. Row by row: beside the body itself nothing is kept but
//! what the employees need.

use std::collections::BTreeMap;
use std::fmt;

use encoding_rs::{Encoding, UTF_8};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::dto::SyncQuery;
use super::table::table;
use crate::domain::sync::cells::read;
use crate::domain::sync::{Employee, Given, Options, RowFault};
use crate::error::{AppError, AppResult, Code, Faults};
use crate::http::body::from_value;

/// Employees that a list may have.
const MAX_ROWS: usize = 200_000;

/// How the list comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One document.
    Json,
    /// One object a line.
    Ndjson,
    /// A table with a header.
    Csv,
}

impl Format {
    /// By the media type; JSON when there is none.
    ///
    /// # Errors
    /// 415.
    pub fn of(content_type: Option<&str>) -> AppResult<Self> {
        let essence = content_type.unwrap_or("application/json").split(';').next().unwrap_or_default();
        match essence.trim().to_ascii_lowercase().as_str() {
            "application/json" => Ok(Self::Json),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(Self::Ndjson),
            "text/csv" | "application/csv" => Ok(Self::Csv),
            _ => Err(AppError::new(
                Code::UnsupportedMediaType,
                "Send application/json, application/x-ndjson or text/csv.",
            )),
        }
    }
}

/// The encoding that the media type names, where none is named beside it. JSON is UTF-8, whatever its media type says.
///
/// # Errors
/// 422 when there is no such encoding, or when the two contradict each other.
pub fn settle_encoding(format: Format, content_type: Option<&str>, query: &mut SyncQuery) -> AppResult<()> {
    let parameters = content_type.unwrap_or_default().split(';').skip(1).filter_map(|one| one.split_once('='));
    let named =
        parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset")).map(|(_, value)| value).next();
    let Some(charset) = named.map(|value| value.trim().trim_matches('"')).filter(|_| format != Format::Json) else {
        return Ok(());
    };
    let Some(encoding) = Encoding::for_label(charset.as_bytes()) else {
        return Err(AppError::field(
            "?encoding",
            "unknown_encoding",
            "The charset of the Content-Type is no encoding.",
        ));
    };
    match query.encoding.as_deref().and_then(|label| Encoding::for_label(label.as_bytes())) {
        Some(other) if other != encoding => {
            let detail = format!("This contradicts the charset of the Content-Type, {charset}.");
            Err(AppError::field("?encoding", "contradiction", detail))
        }
        _ => {
            query.encoding.get_or_insert_with(|| charset.to_owned());
            Ok(())
        }
    }
}

/// The document without its employees, who are skipped.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    #[serde(rename = "employees")]
    _employees: IgnoredAny,
    #[serde(borrow)]
    options: Option<&'a RawValue>,
}

/// The employees of the document, or of the list in it: each becomes what the plan needs before the next is looked at.
#[derive(Clone, Copy)]
struct Employees<'a> {
    options: &'a Options,
    in_list: bool,
}

impl<'de> DeserializeSeed<'de> for Employees<'_> {
    type Value = Vec<Employee>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.in_list { deserializer.deserialize_seq(self) } else { deserializer.deserialize_map(self) }
    }
}

impl<'de> Visitor<'de> for Employees<'_> {
    type Value = Vec<Employee>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the whole list of employees")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut employees = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "employees" => employees = members.next_value_seed(Employees { in_list: true, ..self })?,
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(employees)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut employees = Vec::new();
        for row in 1_i64.. {
            let Some(raw) = items.next_element::<&RawValue>()? else { break };
            employees.push(object(row, raw.get(), self.options));
            // One more than allowed is enough to say so.
            if employees.len() > MAX_ROWS {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                break;
            }
        }
        Ok(employees)
    }
}

/// Reads the list and how the plan is to be made.
///
/// # Errors
/// 400 for what cannot be read at all; 422 for options, mappings and headers. What is wrong with a row is in the row.
pub fn employees(format: Format, body: &[u8], query: &SyncQuery) -> AppResult<(Vec<Employee>, Options)> {
    let mut options = options(query)?;
    let rows = match format {
        Format::Json => {
            if query.mapping.is_some() || query.delimiter.is_some() || query.encoding.is_some() {
                return Err(AppError::field("?mapping", "not_allowed", "mapping, delimiter and encoding are for CSV."));
            }
            let text =
                std::str::from_utf8(body).map_err(|_| AppError::new(Code::Malformed, "The body is not UTF-8."))?;
            let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
            let unreadable = |error| AppError::new(Code::Malformed, format!("The body cannot be read: {error}."));
            // Twice: how rows are to be read may stand behind them.
            let document: Document<'_> = serde_json::from_str(text).map_err(unreadable)?;
            if let Some(given) = document.options {
                options = merged(read_options(given.get())?, options, query, given.get())?;
            }
            let mut document = serde_json::Deserializer::from_str(text);
            let rows =
                Employees { options: &options, in_list: false }.deserialize(&mut document).map_err(unreadable)?;
            limit(rows.len())?;
            rows
        }
        Format::Ndjson => {
            let text = decode(body, query)?;
            let lines = (1_i64..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
            let rows: Vec<Employee> =
                lines.map(|(row, line)| object(row, line, &options)).take(MAX_ROWS.saturating_add(1)).collect();
            limit(rows.len())?;
            rows
        }
        Format::Csv => table(&decode(body, query)?, query, &options)?,
    };
    let percent = |value: f64| (0.0..=100.0).contains(&value);
    let mut faults = Faults::new();
    faults.ensure(
        percent(options.max_deactivate_percent),
        "/options/max_deactivate_percent",
        "out_of_range",
        "A percentage is between 0 and 100.",
    );
    faults.ensure(
        percent(options.max_error_percent),
        "/options/max_error_percent",
        "out_of_range",
        "A percentage is between 0 and 100.",
    );
    faults.ensure(options.date_attributes.len() <= 100, "/options/date_attributes", "too_many", "At most 100.");
    faults.finish()?;
    Ok((rows, options))
}

/// The options of a document, with all that is wrong with them.
fn read_options(text: &str) -> AppResult<Options> {
    let value = serde_json::from_str(text).map_err(AppError::internal)?;
    from_value::<Options>(value).map_err(|error| {
        let mut faults = Faults::new();
        for fault in error.errors() {
            faults.add(format!("/options{}", fault.pointer), fault.code.clone(), fault.detail.clone());
        }
        faults.finish().err().unwrap_or(error)
    })
}

fn options(query: &SyncQuery) -> AppResult<Options> {
    let default = Options::default();
    let names = query.date_attributes.as_deref().unwrap_or_default().split(',').map(str::trim);
    Ok(Options {
        deactivate_missing: query.deactivate_missing.unwrap_or(default.deactivate_missing),
        max_deactivate_percent: query.max_deactivate_percent.unwrap_or(default.max_deactivate_percent),
        max_error_percent: query.max_error_percent.unwrap_or(default.max_error_percent),
        date_style: query.date_style.unwrap_or(default.date_style),
        date_attributes: names.filter(|name| !name.is_empty()).map(str::to_owned).collect(),
    })
}

/// The options of a document, with those of the query that the document does not speak of.
fn merged(given: Options, queried: Options, query: &SyncQuery, text: &str) -> AppResult<Options> {
    let named: BTreeMap<String, IgnoredAny> = serde_json::from_str(text).map_err(AppError::internal)?;
    let in_query = [
        ("deactivate_missing", query.deactivate_missing.is_some()),
        ("max_deactivate_percent", query.max_deactivate_percent.is_some()),
        ("max_error_percent", query.max_error_percent.is_some()),
        ("date_style", query.date_style.is_some()),
        ("date_attributes", query.date_attributes.is_some()),
    ];
    let mut faults = Faults::new();
    for (name, there) in in_query {
        let twice = there && named.contains_key(name);
        faults.ensure(!twice, &format!("?{name}"), "contradiction", "The options of the body speak of this too.");
    }
    faults.finish()?;
    // What stands in neither place has its default on both sides.
    let from_body = |name: &str| named.contains_key(name);
    Ok(Options {
        deactivate_missing: if from_body("deactivate_missing") {
            given.deactivate_missing
        } else {
            queried.deactivate_missing
        },
        max_deactivate_percent: if from_body("max_deactivate_percent") {
            given.max_deactivate_percent
        } else {
            queried.max_deactivate_percent
        },
        max_error_percent: if from_body("max_error_percent") {
            given.max_error_percent
        } else {
            queried.max_error_percent
        },
        date_style: if from_body("date_style") { given.date_style } else { queried.date_style },
        date_attributes: if from_body("date_attributes") { given.date_attributes } else { queried.date_attributes },
    })
}

pub(super) fn limit(rows: usize) -> AppResult<()> {
    if rows > MAX_ROWS {
        return Err(AppError::field("/employees", "too_many", format!("A list has at most {MAX_ROWS} employees.")));
    }
    Ok(())
}

/// The text in the encoding named; bytes that are none become U+FFFD, which the rows that have it then name.
fn decode<'a>(body: &'a [u8], query: &SyncQuery) -> AppResult<std::borrow::Cow<'a, str>> {
    let encoding = match query.encoding.as_deref() {
        None => UTF_8,
        Some(label) => Encoding::for_label(label.as_bytes())
            .ok_or_else(|| AppError::field("?encoding", "unknown_encoding", "There is no such encoding."))?,
    };
    Ok(encoding.decode(body).0)
}

/// One employee as a JSON object.
fn object(row: i64, text: &str, options: &Options) -> Employee {
    let at_fault = |code: &str, detail: String| Employee::unreadable(row, RowFault::new("", code, detail));
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return at_fault("malformed", format!("This is not JSON: {error}."));
    }
    let Ok(Members(fields)) = serde_json::from_str::<Members>(text) else {
        return at_fault("wrong_type", "An employee is an object.".into());
    };
    let mut faults = Vec::new();
    let mut twice = |column: String| faults.push(RowFault::new(&column, "duplicate_field", "This stands there twice."));
    let given = |value: Value| if value.is_null() { Given::Empty } else { Given::Value(value) };
    let mut cells: BTreeMap<String, Given<Value>> = BTreeMap::new();
    let mut seen = false;
    for (name, raw) in fields {
        let value: Value = match serde_json::from_str(raw.get()) {
            Ok(value) => value,
            Err(error) => return at_fault("malformed", format!("This is not JSON: {error}.")),
        };
        match (name.as_str(), value) {
            ("attributes", value @ (Value::Object(_) | Value::Null)) => {
                if std::mem::replace(&mut seen, true) {
                    twice(name);
                }
                let Ok(Members(attributes)) = serde_json::from_str::<Members>(raw.get()) else { continue };
                for (name, _) in attributes {
                    let column = format!("attributes.{name}");
                    let value = value.get(&name).cloned().unwrap_or_default();
                    if cells.insert(column.clone(), given(value)).is_some() {
                        twice(column);
                    }
                }
            }
            // A table has texts only; here there are booleans. What is none of either is told as such.
            ("active", Value::String(_)) => drop(cells.insert(name, Given::Value(Value::Array(Vec::new())))),
            (_, value) => {
                if cells.insert(name.clone(), given(value)).is_some() {
                    twice(name);
                }
            }
        }
    }
    let mut employee = read(row, &cells, options);
    employee.faults.extend(faults);
    employee
}

/// The members of an object as they stand there, those that stand there twice too.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Members, A::Error> {
                let mut all = Vec::new();
                while let Some(member) = members.next_entry()? {
                    all.push(member);
                }
                Ok(Members(all))
            }
        }
        deserializer.deserialize_map(All)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_twice_or_is_no_boolean_is_named() {
        let codes = |text: &str| {
            let employee = object(1, text, &Options::default());
            employee.faults.into_iter().map(|fault| (fault.column, fault.code)).collect::<Vec<_>>()
        };
        let fault = |column: &str, code: &str| vec![(column.to_owned(), code.to_owned())];
        assert_eq!(codes(r#"{"email": "a@b", "email": "c@d"}"#), fault("email", "duplicate_field"));
        assert_eq!(codes(r#"{"attributes": {"a": 1, "a": 2}}"#), fault("attributes.a", "duplicate_field"));
        assert_eq!(codes(r#"{"active": "yes"}"#), fault("active", "wrong_type"));
        assert_eq!(codes(r#"{"given_name": "A\u0007"}"#), fault("given_name", "control_character"));
        assert_eq!(codes("[1]"), fault("", "wrong_type"));
        assert_eq!(codes("{"), fault("", "malformed"));
        assert!(codes(r#"{"active": true, "attributes": {"a": "x"}, "given_name": "A"}"#).is_empty());
    }
}
