//! Frameworks from elsewhere: CASE packages and tables become a draft, with every fault of them named where it stands.

use crate::domain::framework::quotes::{BadQuote, bad_quotes};
use crate::domain::framework::{
    Draft, DraftCompetency, Gaps, MAX_DESCRIPTION, MAX_KEY, MAX_SHORT, MAX_TITLE, case, table,
};
use crate::domain::mastery::{Fault, Method, Params};
use crate::error::{AppError, AppResult, Code, Faults};
use crate::features::competencies::dto::ImportQuery;
use crate::http::shapes::{Shape, Summary, Title};

/// Competencies that a framework may have.
const MAX_COMPETENCIES: usize = 100_000;
/// Characters of what a package says about its framework.
const MAX_TEXT: usize = 1000;
/// Faults of one kind that are named.
const MAX_FAULTS: usize = 100;

/// How a framework comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A CASE package.
    Case,
    /// A table with a header.
    Csv,
}

impl Format {
    /// By the media type; CASE when there is none.
    ///
    /// # Errors
    /// 415.
    pub fn of(content_type: Option<&str>) -> AppResult<Self> {
        let essence = content_type.unwrap_or("application/json").split(';').next().unwrap_or_default();
        match essence.trim().to_ascii_lowercase().as_str() {
            "application/json" => Ok(Self::Case),
            "text/csv" | "application/csv" => Ok(Self::Csv),
            _ => Err(AppError::new(Code::UnsupportedMediaType, "Send application/json (CASE) or text/csv.")),
        }
    }

    /// Where the competencies stand.
    fn list(self) -> &'static str {
        match self {
            Self::Case => "/CFItems",
            Self::Csv => "/rows",
        }
    }

    /// What a field of a competency is called there.
    fn name(self, field: &'static str, competency: Option<&DraftCompetency>) -> &'static str {
        match (self, field) {
            (Self::Csv, _) | (Self::Case, "parent") => field,
            (Self::Case, "key") => "identifier",
            (Self::Case, "code") => "humanCodingScheme",
            (Self::Case, "kind") => "CFItemType",
            // With a description, that is the statement and the title the shorter one.
            (Self::Case, "title") if competency.is_some_and(|c| c.description.is_some()) => "abbreviatedStatement",
            (Self::Case, _) => "fullStatement",
        }
    }
}

/// Reads a package or a table.
///
/// # Errors
/// 400 for what cannot be read at all; 422 with every fault of what it says.
pub fn read(format: Format, body: &[u8], query: &ImportQuery) -> AppResult<Draft> {
    let mut faults = Faults::new();
    if let Some(method) = &query.method {
        let known = Method::new(method, &Params::default()).is_ok();
        faults.ensure(known, "?method", "unknown_method", "This is not a mastery method.");
    }
    if let Some(title) = &query.title {
        Title::check(title, "?title", &mut faults);
        faults.ensure(!title.contains('\0'), "?title", "nul_character", NUL);
    } else if format == Format::Csv && query.framework_id.is_none() {
        let detail =
            "A table does not say what the framework is called, and no `framework_id` names one that is there.";
        faults.add("?title", "required", detail);
    }
    let text = std::str::from_utf8(body).map_err(|_| AppError::new(Code::Malformed, "The body is not UTF-8."))?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let (mut draft, gaps) = match format {
        Format::Case => package(text, &mut faults)?,
        Format::Csv => csv(text, &mut faults)?,
    };
    match &query.title {
        Some(title) => title.trim().clone_into(&mut draft.title),
        None if format == Format::Case => check_title(&draft, &mut faults),
        None => {}
    }
    check(&draft, format, &gaps, &mut faults)?;
    faults.finish()?;
    Ok(draft)
}

fn package(text: &str, faults: &mut Faults) -> AppResult<(Draft, Gaps)> {
    let value: serde_json::Value = serde_json::from_str(text)
        .map_err(|error| AppError::new(Code::Malformed, format!("This is not JSON: {error}.")))?;
    let (package, found) = case::parse(&value);
    let gaps = Gaps::of(&found, Format::Case.list(), &["", "identifier"]);
    name(found, "invalid_package", faults);
    Ok((case::read(&package), gaps))
}

fn name(found: Vec<Fault>, code: &'static str, faults: &mut Faults) {
    for fault in found.into_iter().take(MAX_FAULTS) {
        faults.add(fault.pointer, code, fault.detail);
    }
}

fn csv(text: &str, faults: &mut Faults) -> AppResult<(Draft, Gaps)> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).has_headers(true).from_reader(text.as_bytes());
    let unreadable = |error: csv::Error| AppError::new(Code::Malformed, format!("The table cannot be read: {error}."));
    let cells = |record: &csv::StringRecord| record.iter().map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let header = cells(reader.headers().map_err(unreadable)?);
    let mut rows = Vec::new();
    for record in reader.records() {
        rows.push(cells(&record.map_err(unreadable)?));
        too_many(rows.len())?;
    }
    let quotes: Vec<Fault> = bad_quotes(text).into_iter().map(bad_quote).collect();
    let badly_quoted = Gaps::of(&quotes, Format::Csv.list(), &[""]);
    name(quotes, "bad_quote", faults);
    let (draft, mut found) = table::read(&header, &rows);
    // How many cells a row has cannot be told from such a one.
    let row = |n: usize| format!("{}/{n}", Format::Csv.list());
    found.retain(|fault| !badly_quoted.entries.iter().any(|n| fault.pointer == row(*n)));
    let mut gaps = Gaps::of(&found, Format::Csv.list(), &[""]);
    gaps.entries.extend(badly_quoted.entries);
    gaps.keys |= badly_quoted.keys;
    name(found, "invalid_table", faults);
    Ok((draft, gaps))
}

fn bad_quote(quote: BadQuote) -> Fault {
    let pointer = match quote.record.checked_sub(1) {
        Some(row) => format!("{}/{row}", Format::Csv.list()),
        None => "/header".to_owned(),
    };
    let what = if quote.closed { "ends before its cell does" } else { "does not end" };
    Fault { pointer, detail: format!("The quote that begins on line {} {what}.", quote.line) }
}

fn too_many(n: usize) -> AppResult<()> {
    if n > MAX_COMPETENCIES {
        return Err(AppError::field(
            "",
            "too_many",
            format!("A framework has at most {MAX_COMPETENCIES} competencies."),
        ));
    }
    Ok(())
}

const NUL: &str = "Text must not contain the character U+0000.";

fn check_title(draft: &Draft, faults: &mut Faults) {
    let above = ["", "/CFDocument", "/CFDocument/title"];
    if !faults.pointers().any(|pointer| above.contains(&pointer)) {
        let fits = (Title::MIN..=Title::MAX).contains(&draft.title.chars().count()) && Title::fits(&draft.title);
        let detail = "A title has 1 to 200 characters; `title` in the query gives another.";
        faults.ensure(fits || draft.title.contains('\0'), "/CFDocument/title", "length", detail);
        faults.ensure(!draft.title.contains('\0'), "/CFDocument/title", "nul_character", NUL);
    }
}

/// Lengths, characters and the tree.
fn check(draft: &Draft, format: Format, gaps: &Gaps, faults: &mut Faults) -> AppResult<()> {
    too_many(draft.competencies.len())?;
    let own = [
        ("identifier", &draft.source, MAX_TEXT),
        ("creator", &draft.creator, MAX_TEXT),
        ("version", &draft.version, MAX_TEXT),
        ("description", &draft.description, Summary::MAX),
    ];
    for (field, text, most) in own {
        check_text(text.as_deref(), most, &format!("/CFDocument/{field}"), faults);
    }
    let list = format.list();
    // Read as a framework without any, it would retire all that are there; an empty one is made by hand.
    let some = !draft.competencies.is_empty() || !gaps.none();
    faults.ensure(some, list, "empty", "There are no competencies in it.");
    for mut fault in draft.check(list, gaps).into_iter().take(MAX_FAULTS) {
        for field in ["key", "title"] {
            if let Some(entry) = fault.pointer.strip_suffix(field) {
                fault.pointer = format!("{entry}{}", format.name(field, None));
            }
        }
        faults.add(fault.pointer, "invalid_tree", fault.detail);
    }
    let mut found = Faults::new();
    for (n, c) in draft.competencies.iter().enumerate() {
        let texts = [
            ("key", Some(&c.key), MAX_KEY),
            ("title", Some(&c.title), MAX_TITLE),
            ("code", c.code.as_ref(), MAX_SHORT),
            ("kind", c.kind.as_ref(), MAX_SHORT),
            ("description", c.description.as_ref(), MAX_DESCRIPTION),
        ];
        for (field, text, most) in texts {
            let fits = |text: &&String| text.len() > most || text.contains('\0');
            if let Some(text) = text.filter(fits) {
                let at = format!("{list}/{}/{}", draft.place(n), format.name(field, Some(c)));
                check_text(Some(text), most, &at, &mut found);
            }
        }
    }
    for fault in found.into_vec().into_iter().take(MAX_FAULTS) {
        faults.add(fault.pointer, fault.code, fault.detail);
    }
    Ok(())
}

fn check_text(text: Option<&str>, most: usize, at: &str, faults: &mut Faults) {
    let Some(text) = text else { return };
    faults.ensure(!text.contains('\0'), at, "nul_character", NUL);
    if text.chars().count() > most {
        faults.add(at, "length", format!("This text may have at most {most} characters."));
    }
}
