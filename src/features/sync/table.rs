//! A list as a table: a header, a delimiter, and quotes that somebody may have forgotten to close.

use std::collections::BTreeMap;

use serde_json::Value;

use super::dto::SyncQuery;
use super::reading::limit;
use crate::domain::sync::cells::{FIELDS, read};
use crate::domain::sync::{Employee, Given, Options, RowFault};
use crate::error::{AppError, AppResult, Code, Faults};

/// Which field each column of the header is.
fn columns(header: &csv::StringRecord, query: &SyncQuery) -> AppResult<Vec<Option<String>>> {
    let mut faults = Faults::new();
    let known =
        |field: &str| FIELDS.contains(&field) || field.strip_prefix("attributes.").is_some_and(|n| !n.is_empty());
    let mut fields: Vec<Option<String>> = vec![None; header.len()];
    match query.mapping.as_deref() {
        None => {
            for (slot, name) in fields.iter_mut().zip(header) {
                let name = name.trim();
                faults.ensure(
                    known(name),
                    "/header",
                    "unknown_column",
                    &format!("`{name}` is no field; name the columns with `mapping`."),
                );
                *slot = Some(name.to_owned());
            }
        }
        Some(mapping) => {
            for pair in mapping.split(',').filter(|pair| !pair.trim().is_empty()) {
                let (field, column) = pair.split_once(':').unwrap_or((pair, pair));
                let (field, column) = (field.trim(), column.trim());
                faults.ensure(known(field), "?mapping", "unknown_field", &format!("`{field}` is no field."));
                match header.iter().position(|name| name.trim() == column).and_then(|at| fields.get_mut(at)) {
                    Some(slot) => *slot = Some(field.to_owned()),
                    None => faults.add("?mapping", "unknown_column", format!("The header has no column `{column}`.")),
                }
            }
        }
    }
    let mut seen: Vec<&str> = Vec::new();
    for field in fields.iter().flatten() {
        faults.ensure(
            !seen.contains(&field.as_str()),
            "/header",
            "duplicate_column",
            &format!("`{field}` stands there twice."),
        );
        seen.push(field);
    }
    faults.finish()?;
    Ok(fields)
}

/// Counts the lines of a text from its beginning on, however they end.
struct Lines<'a> {
    rest: &'a [u8],
    passed: u64,
    line: i64,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        Self { rest: text.as_bytes(), passed: 0, line: 1 }
    }

    /// The line on which the record begins that the reader found at this byte: the reader has not passed blank lines, nor the second
    /// half of the end of the line before, yet.
    fn at(&mut self, byte: u64) -> i64 {
        while let Some((first, rest)) = self.rest.split_first() {
            let ends = matches!(first, b'\r' | b'\n');
            if self.passed >= byte && !ends {
                break;
            }
            if ends && !(*first == b'\r' && rest.first() == Some(&b'\n')) {
                self.line = self.line.saturating_add(1);
            }
            self.rest = rest;
            self.passed = self.passed.saturating_add(1);
        }
        self.line
    }
}

/// A table with a header.
///
/// # Errors
/// 400 for what is no table; 422 for the header and the mapping.
pub(super) fn table(text: &str, query: &SyncQuery, options: &Options) -> AppResult<Vec<Employee>> {
    let delimiter = match query.delimiter.as_deref() {
        None => b',',
        Some("tab") => b'\t',
        Some(text) => match text.as_bytes() {
            [one] if one.is_ascii() && !one.is_ascii_alphanumeric() && *one != b'"' => *one,
            _ => return Err(AppError::field("?delimiter", "invalid", "One character, or `tab`.")),
        },
    };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(true)
        .from_reader(std::io::Cursor::new(text.as_bytes()));
    let unreadable = |error: csv::Error| AppError::new(Code::Malformed, format!("The table cannot be read: {error}."));
    let header = reader.headers().map_err(unreadable)?.clone();
    if unclosed(span(text, 0, reader.position().byte()), delimiter).is_some() {
        return Err(AppError::field("/header", "unclosed_quote", "A quote of the header is never closed."));
    }
    let fields = columns(&header, query)?;
    let mut rows = Vec::new();
    let mut record = csv::StringRecord::new();
    let mut lines = Lines::of(text);
    while reader.read_record(&mut record).map_err(unreadable)? {
        let start = record.position().map_or(0, csv::Position::byte);
        let line = lines.at(start);
        let open = unclosed(span(text, start, reader.position().byte()), delimiter);
        let whole = open.as_ref().map_or(record.len(), |open| open.cell);
        let mut cells = BTreeMap::new();
        for (field, cell) in fields.iter().zip(record.iter().take(whole)) {
            if let Some(field) = field {
                let given = if cell.trim().is_empty() { Given::Empty } else { Given::Value(Value::from(cell)) };
                cells.insert(field.clone(), given);
            }
        }
        let mut employee = read(line, &cells, options);
        if let Some(open) = open {
            let column = fields.get(open.cell).cloned().flatten().unwrap_or_default();
            let detail = "The quote that opens this cell is not closed before the line ends.";
            employee = employee.only_keys(RowFault::new(&column, "unclosed_quote", detail));
            // The rows that such a cell seems to hold are rows.
            let mut next = csv::Position::new();
            next.set_byte(start.saturating_add(open.next_line));
            reader.seek(next).map_err(unreadable)?;
        } else if record.len() != header.len() {
            let detail = format!("The row has {} cells, the header {}.", record.len(), header.len());
            employee = employee.only_keys(RowFault::new("", "wrong_width", detail));
        }
        rows.push(employee);
        limit(rows.len())?;
    }
    Ok(rows)
}

/// The bytes from here to there.
fn span(text: &str, from: u64, to: u64) -> &[u8] {
    let at = |byte: u64| usize::try_from(byte).unwrap_or(usize::MAX).min(text.len());
    text.as_bytes().get(at(from)..at(to)).unwrap_or_default()
}

/// A cell whose quote opens and is not closed.
#[derive(Debug, PartialEq, Eq)]
struct Unclosed {
    /// Which cell of the record.
    cell: usize,
    /// Where the line after the one on which it opens begins, from the beginning of the record.
    next_line: u64,
}

/// Whether a record has a quote that nobody closed. It then goes on to the end of the file, or to the quote that opens some cell
/// further down and so seems to close this one in the middle of a line.
fn unclosed(record: &[u8], delimiter: u8) -> Option<Unclosed> {
    /// Where in a cell.
    enum At {
        Start,
        Plain,
        Quoted,
        Closing,
    }
    if !record.contains(&b'"') {
        return None;
    }
    let (mut at, mut cell, mut next_line) = (At::Start, 0_usize, None);
    let blank = record.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    for (ix, byte) in record.iter().enumerate().skip(blank) {
        let ends = matches!(byte, b'\r' | b'\n');
        at = match at {
            At::Quoted if *byte == b'"' => At::Closing,
            At::Quoted => {
                let second = *byte == b'\r' && record.get(ix.saturating_add(1)) == Some(&b'\n');
                if ends && !second && next_line.is_none() {
                    next_line = Some(ix.saturating_add(1));
                }
                At::Quoted
            }
            At::Closing if *byte == b'"' => At::Quoted,
            At::Start if *byte == b'"' => At::Quoted,
            At::Start | At::Plain | At::Closing if *byte == delimiter => {
                (cell, next_line) = (cell.saturating_add(1), None);
                At::Start
            }
            At::Start | At::Plain | At::Closing if ends => return None,
            // Elsewhere a few letters behind a quote are forgiven; behind one on another line they tell that it opens something.
            At::Closing if next_line.is_some() => {
                at = At::Quoted;
                break;
            }
            At::Start | At::Plain | At::Closing => At::Plain,
        };
    }
    let next_line = u64::try_from(next_line.unwrap_or(record.len())).unwrap_or(u64::MAX);
    matches!(at, At::Quoted).then_some(Unclosed { cell, next_line })
}

#[cfg(test)]
mod tests {
    use super::super::reading::{Format, employees};
    use super::*;

    fn lines(text: &str) -> Vec<i64> {
        let (rows, _) = employees(Format::Csv, text.as_bytes(), &SyncQuery::default()).unwrap();
        rows.iter().map(|row| row.row).collect()
    }

    #[test]
    fn a_row_is_named_by_its_line_however_lines_end() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["external_id,given_name", "a,A", "", "", "b,\"B", "B\"", "c,C", ""].join(end);
            assert_eq!(lines(&text), [2, 5, 7], "{end:?}");
            assert_eq!(lines(&format!("\u{FEFF}{end}{text}")), [3, 6, 8], "{end:?} before the header");
        }
    }

    #[test]
    fn a_quote_that_nobody_closes_spoils_its_own_row_only() {
        let told = |text: &str| {
            let rows = table(text, &SyncQuery::default(), &Options::default()).unwrap();
            let fault =
                |row: &Employee| row.faults.iter().map(|f| format!("{}:{}", f.column, f.code)).collect::<Vec<_>>();
            rows.iter().map(|row| (row.row, fault(row).join(" "))).collect::<Vec<_>>()
        };
        let open = |row: i64| (row, "family_name:unclosed_quote".to_owned());
        let good = |row: i64| (row, String::new());
        let header = "external_id,family_name,attributes.note";
        for end in ["\n", "\r\n", "\r"] {
            let list = |lines: &[&str]| format!("{header}{end}{}", lines.join(end));
            // To the end of the file, with and without an end of the last line.
            assert_eq!(told(&list(&["a,A,x", "b,\"B,x", "c,C,x", ""])), [good(2), open(3), good(4)]);
            assert_eq!(told(&list(&["a,A,x", "b,\"B,x"])), [good(2), open(3)]);
            assert_eq!(told(&list(&["a,A,x", "b,\""])), [good(2), open(3)]);
            // Up to the quote of another cell, as many times as may be.
            assert_eq!(
                told(&list(&["b,\"B,x", "", "c,C,x", "d,\"D\",x", "e,\"E,x", "f,\"F,x"])),
                [open(2), good(4), good(5), open(6), open(7)]
            );
            // What is closed is none: also over lines, doubled, and with letters behind it.
            assert_eq!(
                told(&list(&["a,A,\"x\n\ny\"", "b,\"B \"\"C\"\"\",\"\"", "c,\"C\" D,\"x\""]))
                    .iter()
                    .filter(|row| !row.1.is_empty())
                    .count(),
                0
            );
        }
        let error = table("external_id,\"family_name\na,A\n", &SyncQuery::default(), &Options::default()).unwrap_err();
        assert_eq!(error.errors()[0].code, "unclosed_quote");
    }

    #[test]
    fn a_row_of_another_width_is_told_that_alone() {
        let text = "external_id,email,given_name,family_name,active\na,a@example.org,A\nb,=b,nonsense,B,perhaps,C\n";
        let rows = table(text, &SyncQuery::default(), &Options::default()).unwrap();
        let codes: Vec<_> = rows.iter().flat_map(|row| &row.faults).map(|fault| fault.code.as_str()).collect();
        assert_eq!(codes, ["wrong_width", "wrong_width"]);
        assert_eq!(rows[0].external_id.value().map(String::as_str), Some("a"), "so that nobody takes them for missing");
    }
}
