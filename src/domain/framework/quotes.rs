//! Quotes of a CSV text (RFC 4180) that do not hold what they should. Readers take such a text without a word: what follows an open
//! quote becomes one long cell, and the rows in it are lost.

/// A quoted cell that does not end as it must.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadQuote {
    /// Which record it begins in: 0 is the header; empty lines are none.
    pub record: usize,
    /// The line it begins on, from 1.
    pub line: usize,
    /// Whether it ends at all; if so, more text follows it in the same cell.
    pub closed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    RecordStart,
    CellStart,
    Plain,
    Quoted,
    /// After a quote within a quoted cell: the first of two, or the end.
    Quote,
}

/// Every quoted cell that does not end, or that ends before its cell does, in a text whose cells are parted by commas.
#[must_use]
pub fn bad_quotes(text: &str) -> Vec<BadQuote> {
    let mut found = Vec::new();
    let (mut at, mut record, mut line) = (At::RecordStart, 0_usize, 1_usize);
    let mut open = BadQuote { record, line, closed: false };
    let mut before = '\n';
    for c in text.chars() {
        let ends = matches!(c, '\n' | '\r');
        at = match (at, c) {
            (At::RecordStart, _) if ends => At::RecordStart,
            (At::RecordStart | At::CellStart, '"') => {
                open = BadQuote { record, line, closed: false };
                At::Quoted
            }
            (At::Quoted, '"') => At::Quote,
            (At::Quoted, _) | (At::Quote, '"') => At::Quoted,
            (_, ',') => At::CellStart,
            _ if ends => {
                record = record.saturating_add(1);
                At::RecordStart
            }
            (At::Quote, _) => {
                found.push(BadQuote { closed: true, ..open });
                At::Plain
            }
            _ => At::Plain,
        };
        if ends && !(c == '\n' && before == '\r') {
            line = line.saturating_add(1);
        }
        before = c;
    }
    if at == At::Quoted {
        found.push(open);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(usize, usize, bool)> {
        bad_quotes(text).into_iter().map(|quote| (quote.record, quote.line, quote.closed)).collect()
    }

    #[test]
    fn whole_quotes_are_no_faults() {
        let text = "key,title\n\n\"a\",\"A, or \"\"A\"\"\nin two lines\"\r\n\"\",b\"c\"\n\"\"\"\",\"\"";
        assert!(found(text).is_empty(), "{:?}", found(text));
    }

    #[test]
    fn a_quote_is_told_by_its_row_and_line() {
        assert_eq!(found("key,title\n\na,A\n\"b,B\nc,C\n"), [(2, 4, false)]);
        assert_eq!(found("key,\"title"), [(0, 1, false)]);
        for end in ["\n", "\r\n", "\r"] {
            let text = ["key,title", "a,\"A", "b,\"B\"", "\"c\" ,C", ""].join(end);
            assert_eq!(found(&text), [(1, 2, true), (2, 4, true)], "{end:?}");
        }
    }

    #[test]
    fn records_are_counted_as_they_are_read() {
        let text = "key,title\r\n\r\n\n\"a\nb\",\"A\"\n\n,\nc,\"C";
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        assert_eq!(reader.records().count(), 3);
        assert_eq!(found(text), [(3, 8, false)]);
    }
}
