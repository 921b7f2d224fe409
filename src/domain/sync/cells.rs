//! From the cells of a row to an employee: every fault is named with its column.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Employee, Given, Options, RowFault, dates};

/// Fields that a list may have beside `attributes`.
pub const FIELDS: [&str; 8] = [
    "external_id",
    "employee_number",
    "email",
    "given_name",
    "family_name",
    "department",
    "manager_external_id",
    "active",
];

/// Fields that a row may have, attributes among them; what is beyond is one fault and not a thousand.
const MAX_CELLS: usize = 200;

/// Whether a spreadsheet would run the text as a formula. A signed number or telephone number is none.
#[must_use]
pub fn is_formula(text: &str) -> bool {
    match text.chars().next() {
        Some('=' | '@' | '\t' | '\r') => true,
        Some('+' | '-') => !text.chars().skip(1).all(|c| c.is_ascii_digit() || " .,()-/".contains(c)),
        _ => false,
    }
}

/// Whether this is an e-mail address.
#[must_use]
pub fn is_email(text: &str) -> bool {
    text.len() <= 254
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
        && text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && local.len() <= 64
                && !domain.contains('@')
                && domain.split('.').all(|label| !label.is_empty())
        })
}

struct Reader<'a> {
    cells: &'a BTreeMap<String, Given<Value>>,
    faults: Vec<RowFault>,
}

fn checked(column: &str, text: &str, limit: usize, faults: &mut Vec<RowFault>) -> Option<String> {
    let text = text.trim();
    if text.len() > limit {
        faults.push(RowFault::new(
            column,
            "too_long",
            format!("The cell has {} bytes; {limit} are allowed.", text.len()),
        ));
        return None;
    }
    if text.contains('\0') {
        faults.push(RowFault::new(column, "nul_character", "Text must not contain the character U+0000."));
        return None;
    }
    if text.contains('\u{FFFD}') {
        faults.push(RowFault::new(column, "wrong_encoding", "The cell has bytes that are not text in this encoding."));
        return None;
    }
    if is_formula(text) {
        faults.push(RowFault::new(column, "formula", "The cell begins like a formula of a spreadsheet."));
        return None;
    }
    Some(text.to_owned())
}

impl Reader<'_> {
    fn text(&mut self, column: &str, limit: usize) -> Given<String> {
        match self.cells.get(column) {
            None | Some(Given::Absent) => Given::Absent,
            Some(Given::Empty) => Given::Empty,
            Some(Given::Value(value)) => {
                let text = match value {
                    Value::String(text) => text.clone(),
                    Value::Number(number) => number.to_string(),
                    _ => {
                        self.faults.push(RowFault::new(column, "wrong_type", "This must be a text."));
                        return Given::Absent;
                    }
                };
                if text.trim().is_empty() {
                    return Given::Empty;
                }
                if text.trim().chars().any(|c| c.is_control() && c != '\0') {
                    let detail = "The cell has characters that nobody sees, such as line breaks or U+0007.";
                    self.faults.push(RowFault::new(column, "control_character", detail));
                    return Given::Absent;
                }
                checked(column, &text, limit, &mut self.faults).map_or(Given::Absent, Given::Value)
            }
        }
    }

    fn active(&mut self) -> Option<bool> {
        let refuse = |faults: &mut Vec<RowFault>| {
            faults.push(RowFault::new("active", "wrong_type", "This must be true or false (yes, no, 1, 0)."));
            None
        };
        match self.cells.get("active") {
            None | Some(Given::Absent | Given::Empty) => None,
            Some(Given::Value(Value::Bool(active))) => Some(*active),
            Some(Given::Value(Value::String(text))) => match text.trim().to_ascii_lowercase().as_str() {
                "" => None,
                "true" | "yes" | "1" | "active" => Some(true),
                "false" | "no" | "0" | "inactive" | "left" => Some(false),
                _ => refuse(&mut self.faults),
            },
            Some(Given::Value(_)) => refuse(&mut self.faults),
        }
    }

    fn attribute(&mut self, column: &str, name: &str, given: &Given<Value>, options: &Options) -> Given<Value> {
        if name.is_empty() || name.len() > 100 {
            self.faults.push(RowFault::new(column, "length", "An attribute's name has 1 to 100 bytes."));
            return Given::Absent;
        }
        match given {
            Given::Value(Value::String(text)) if text.trim().is_empty() => Given::Empty,
            Given::Value(Value::String(text)) => {
                let Some(text) = checked(column, text, 2000, &mut self.faults) else { return Given::Absent };
                if !options.date_attributes.iter().any(|date| date == name) {
                    return Given::Value(text.into());
                }
                match dates::read(&text, options.date_style) {
                    Some(date) => Given::Value(date.into()),
                    None => {
                        let style = match options.date_style {
                            dates::DateStyle::Iso => "iso (2026-11-24)",
                            dates::DateStyle::DayFirst => "day_first (24.11.2026)",
                            dates::DateStyle::MonthFirst => "month_first (11/24/2026)",
                        };
                        self.faults.push(RowFault::new(
                            column,
                            "invalid_date",
                            format!("This is no date of the style {style}."),
                        ));
                        Given::Absent
                    }
                }
            }
            Given::Value(Value::Null) | Given::Empty => Given::Empty,
            Given::Value(value @ (Value::Bool(_) | Value::Number(_))) => Given::Value(value.clone()),
            Given::Value(Value::Array(items))
                if items.len() <= 100
                    && items.iter().all(|item| item.as_str().is_some_and(|t| t.len() <= 2000 && !t.contains('\0'))) =>
            {
                Given::Value(Value::Array(items.clone()))
            }
            Given::Value(_) => {
                self.faults.push(RowFault::new(
                    column,
                    "wrong_type",
                    "An attribute is a text, a number, a boolean or a list of texts.",
                ));
                Given::Absent
            }
            Given::Absent => Given::Absent,
        }
    }
}

/// Reads one row. Cells are named by field; attributes as `attributes.<name>`.
#[must_use]
pub fn read(row: i64, cells: &BTreeMap<String, Given<Value>>, options: &Options) -> Employee {
    let mut reader = Reader { cells, faults: Vec::new() };
    let mut employee = Employee {
        row,
        external_id: reader.text("external_id", 200),
        employee_number: reader.text("employee_number", 200),
        email: reader.text("email", 254),
        given_name: reader.text("given_name", 200),
        family_name: reader.text("family_name", 200),
        manager: reader.text("manager_external_id", 200),
        active: reader.active(),
        ..Employee::default()
    };
    match reader.text("department", 200) {
        Given::Absent => {}
        Given::Empty => employee.attributes.push(("department".into(), Given::Empty)),
        Given::Value(text) => employee.attributes.push(("department".into(), Given::Value(text.into()))),
    }
    if cells.len() > MAX_CELLS {
        reader.faults.push(RowFault::new("", "too_many", format!("A row has at most {MAX_CELLS} fields.")));
    }
    for (column, given) in cells.iter().take(MAX_CELLS) {
        if let Some(name) = column.strip_prefix("attributes.") {
            let value = reader.attribute(column, name, given, options);
            employee.attributes.push((name.to_owned(), value));
        } else if !FIELDS.contains(&column.as_str()) {
            reader.faults.push(RowFault::new(column, "unknown_field", "There is no such field."));
        }
    }
    let required =
        [("email", &employee.email), ("given_name", &employee.given_name), ("family_name", &employee.family_name)];
    for (column, given) in required {
        if *given == Given::Empty {
            reader.faults.push(RowFault::new(column, "required", "This must not be empty."));
        }
    }
    if employee.email.value().is_some_and(|email| !is_email(email)) {
        reader.faults.push(RowFault::new("email", "invalid_email", "This is not an e-mail address."));
        employee.email = Given::Absent;
    }
    employee.faults = reader.faults;
    // There may be a hundred thousand of these.
    employee.attributes.shrink_to_fit();
    employee
}
