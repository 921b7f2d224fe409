//! Frameworks from elsewhere: CASE packages and tables become a draft, the draft is merged into what is there, set-based.
//!
//! A competency keeps its id, and with it its evidence and the courses that name it, as long as its key is in the package. What is
//! not in it any more is retired; how mastery is reckoned is never changed by an import.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::frameworks::{blank, find_for_change, out, write};
use super::{require, text};
use crate::db::Conn;
use crate::domain::framework::{Draft, DraftCompetency, case, table};
use crate::domain::mastery::{Level, Method, Params};
use crate::domain::permission::Act;
use crate::error::{AppError, AppResult, Code, Faults};
use crate::features::competencies::dto::{CompetencySettings, ImportOut, ImportQuery};
use crate::features::competencies::store::competencies::CompetencyRow;
use crate::features::competencies::store::{self};
use crate::state::Ctx;

/// Competencies that a framework may have.
const MAX_COMPETENCIES: usize = 100_000;

/// Faults of one kind that are named.
const MAX_FAULTS: usize = 100;
/// Where a framework says what it is called.
const TITLES: [&str; 4] = ["", "/CFDocument", "/CFDocument/title", "?title"];

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
    let titled = query.title.as_ref().is_none_or(|t| !t.trim().is_empty() && t.chars().count() <= 200);
    faults.ensure(titled, "?title", "length", "A title has 1 to 200 characters.");
    let text = std::str::from_utf8(body).map_err(|_| AppError::new(Code::Malformed, "The body is not UTF-8."))?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let (mut draft, list) = match format {
        Format::Case => {
            let value: serde_json::Value = serde_json::from_str(text)
                .map_err(|error| AppError::new(Code::Malformed, format!("This is not JSON: {error}.")))?;
            let (package, found) = case::parse(&value);
            for fault in found.into_iter().take(MAX_FAULTS) {
                faults.add(fault.pointer, "invalid_package", fault.detail);
            }
            (case::read(&package), "/CFItems")
        }
        Format::Csv => (csv(text, query, &mut faults)?, "/rows"),
    };
    if let Some(title) = &query.title {
        draft.title = title.trim().to_owned();
    }
    check(&draft, list, &mut faults)?;
    faults.finish()?;
    Ok(draft)
}

fn csv(text: &str, query: &ImportQuery, faults: &mut Faults) -> AppResult<Draft> {
    let title = query.title.as_deref().unwrap_or_default();
    let titled = query.title.is_some();
    faults.ensure(titled, "?title", "required", "A table does not say what the framework is called.");
    let mut reader = csv::ReaderBuilder::new().flexible(true).has_headers(true).from_reader(text.as_bytes());
    let unreadable = |error: csv::Error| AppError::new(Code::Malformed, format!("The table cannot be read: {error}."));
    let cells = |record: &csv::StringRecord| record.iter().map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let header = cells(reader.headers().map_err(unreadable)?);
    let mut rows = Vec::new();
    for record in reader.records() {
        rows.push(cells(&record.map_err(unreadable)?));
        too_many(rows.len())?;
    }
    let (draft, found) = table::read(title, &header, &rows);
    for fault in found.into_iter().take(MAX_FAULTS) {
        faults.add(fault.pointer, "invalid_table", fault.detail);
    }
    Ok(draft)
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

/// Lengths, characters and the tree. What could not be read was named already; of a tree with gaps nothing can be said.
fn check(draft: &Draft, list: &str, faults: &mut Faults) -> AppResult<()> {
    too_many(draft.competencies.len())?;
    let whole = faults.pointers().all(|pointer| pointer.starts_with('?'));
    let nul = |text: &str| text.contains('\0');
    let own = [Some(&draft.title), draft.source.as_ref(), draft.creator.as_ref(), draft.version.as_ref()];
    faults.ensure(!own.into_iter().flatten().any(|t| nul(t)), "", "nul_character", "Text must not contain U+0000.");
    let short = |text: &str| text.chars().count() <= 1000;
    faults.ensure(own.into_iter().flatten().all(|t| short(t)), "/CFDocument", "length", "Up to 1,000 characters.");
    let titled = !draft.title.trim().is_empty() || faults.pointers().any(|pointer| TITLES.contains(&pointer));
    faults.ensure(titled, "/CFDocument/title", "length", "A framework needs a title.");
    if whole {
        // Read as a framework without any, it would retire all that are there; an empty one is made by hand.
        let some = !draft.competencies.is_empty();
        faults.ensure(some, list, "empty", "There are no competencies in it.");
        let known: HashSet<String> = faults.pointers().map(str::to_owned).collect();
        let tree = draft.check(list).into_iter().filter(|fault| !known.contains(&fault.pointer));
        for fault in tree.take(MAX_FAULTS) {
            faults.add(fault.pointer, "invalid_tree", fault.detail);
        }
    }
    let mut found = 0_usize;
    for (n, c) in draft.competencies.iter().enumerate() {
        let texts = [Some(&c.key), Some(&c.title), c.code.as_ref(), c.kind.as_ref(), c.description.as_ref()];
        let n = draft.place(n);
        if texts.into_iter().flatten().any(|t| nul(t)) {
            faults.add(format!("{list}/{n}"), "nul_character", "Text must not contain U+0000.");
            found = found.saturating_add(1);
        }
        let long = c.key.chars().count() > 500
            || c.title.chars().count() > 20_000
            || [c.code.as_ref(), c.kind.as_ref()].into_iter().flatten().any(|t| t.chars().count() > 500)
            || c.description.as_ref().is_some_and(|t| t.chars().count() > 20_000);
        if long {
            faults.add(format!("{list}/{n}"), "length", "A key, code or kind has up to 500 characters, a text 20,000.");
            found = found.saturating_add(1);
        }
        if found >= MAX_FAULTS {
            break;
        }
    }
    Ok(())
}

/// What a version makes of a framework.
pub(super) struct Merged {
    /// Rows that are new or changed, parents before their children.
    pub(super) rows: Vec<CompetencyRow>,
    /// How many are new.
    pub(super) added: i32,
    /// How many say something else, or stand somewhere else.
    pub(super) changed: i32,
    /// How many are not in it any more.
    pub(super) retired: i32,
    /// How many are so already.
    pub(super) unchanged: i32,
}

/// Merges a draft into the competencies that are there. `settings` are those of the draft's competencies that are new, or one for
/// all of them.
pub(super) fn merge(
    ctx: &Ctx,
    framework: Uuid,
    draft: &Draft,
    settings: &[CompetencySettings],
    present: Vec<CompetencyRow>,
) -> AppResult<Merged> {
    let mut present: HashMap<String, CompetencyRow> = present.into_iter().map(|row| (row.key.clone(), row)).collect();
    let ids: HashMap<&str, Uuid> = draft
        .competencies
        .iter()
        .map(|c| (c.key.as_str(), present.get(&c.key).map_or_else(|| ctx.new_id(), |row| row.id)))
        .collect();
    let mut merged = Merged { rows: Vec::new(), added: 0, changed: 0, retired: 0, unchanged: 0 };
    let one = settings.first().cloned().unwrap_or_default();
    for n in parents_first(&draft.competencies) {
        let Some(c) = draft.competencies.get(n) else { continue };
        let parent = c.parent.as_deref().and_then(|key| ids.get(key)).copied();
        let position = i32::try_from(n.saturating_add(1)).unwrap_or(i32::MAX);
        let old = present.remove(&c.key);
        let mut row = match &old {
            Some(old) => old.clone(),
            None => {
                let own = settings.get(n).filter(|_| settings.len() == draft.competencies.len()).unwrap_or(&one);
                let id = ids.get(c.key.as_str()).copied().unwrap_or_default();
                new_row(ctx, framework, id, own)?
            }
        };
        row.key.clone_from(&c.key);
        row.title.clone_from(&c.title);
        row.title_key = c.title.to_lowercase();
        row.description.clone_from(&c.description);
        row.code.clone_from(&c.code);
        row.kind.clone_from(&c.kind);
        row.parent_id = parent;
        row.position = position;
        row.retired_at = None;
        match old {
            None => merged.added = merged.added.saturating_add(1),
            Some(old) if old == row => {
                merged.unchanged = merged.unchanged.saturating_add(1);
                continue;
            }
            Some(_) => {
                merged.changed = merged.changed.saturating_add(1);
                row.version = row.version.saturating_add(1);
                row.updated_at = ctx.now;
            }
        }
        merged.rows.push(row);
    }
    for (_, mut row) in present.into_iter().filter(|(_, row)| row.retired_at.is_none()) {
        row.retired_at = Some(ctx.now);
        row.updated_at = ctx.now;
        row.version = row.version.saturating_add(1);
        merged.retired = merged.retired.saturating_add(1);
        merged.rows.push(row);
    }
    Ok(merged)
}

/// Positions in an order in which every parent stands before its children.
fn parents_first(list: &[DraftCompetency]) -> Vec<usize> {
    let index: HashMap<&str, usize> = list.iter().enumerate().map(|(n, c)| (c.key.as_str(), n)).collect();
    let mut placed: HashSet<usize> = HashSet::with_capacity(list.len());
    let mut order = Vec::with_capacity(list.len());
    for n in 0..list.len() {
        let mut chain = Vec::new();
        let mut at = Some(n);
        while let Some(n) = at.filter(|n| !placed.contains(n)) {
            placed.insert(n);
            chain.push(n);
            at = list.get(n).and_then(|c| c.parent.as_deref()).and_then(|key| index.get(key)).copied();
        }
        order.extend(chain.into_iter().rev());
    }
    order
}

/// A competency that is not stored yet, with its settings.
pub(super) fn new_row(ctx: &Ctx, framework: Uuid, id: Uuid, settings: &CompetencySettings) -> AppResult<CompetencyRow> {
    let levels = settings
        .levels
        .clone()
        .unwrap_or_else(|| vec![Level { name: "mastered".to_owned(), at_least: DEFAULT_THRESHOLD }]);
    Ok(CompetencyRow {
        id,
        framework_id: framework,
        parent_id: None,
        key: String::new(),
        title: String::new(),
        title_key: String::new(),
        description: None,
        code: None,
        kind: None,
        position: 0,
        method: settings.method.clone().unwrap_or_else(|| "decaying_average".to_owned()),
        params: text(&settings.params.unwrap_or_default())?,
        mastered_at_least: threshold(&levels),
        levels: text(&levels)?,
        rollup: settings.rollup.as_ref().map(text).transpose()?,
        required: settings.required.unwrap_or(true),
        points: settings.points.unwrap_or(1.0),
        retired_at: None,
        version: 1,
        created_at: ctx.now,
        updated_at: ctx.now,
    })
}

/// Mastery of competencies that have no levels.
const DEFAULT_THRESHOLD: f64 = 0.8;

/// From which mastery on a competency with these levels is mastered.
pub(super) fn threshold(levels: &[Level]) -> f64 {
    let named = levels.iter().find(|level| level.name == "mastered");
    named.or(levels.last()).map_or(DEFAULT_THRESHOLD, |level| level.at_least)
}

/// Imports a draft: as a new framework, or as the next version of one that is there.
///
/// # Errors
/// 403; 404 for a framework that does not exist.
pub fn import(conn: &mut Conn, ctx: &Ctx, draft: &Draft, query: &ImportQuery) -> AppResult<ImportOut> {
    require(ctx, Act::WriteFramework)?;
    let target = match (query.framework_id, &draft.source) {
        (Some(id), _) => Some(id),
        (None, Some(source)) => store::frameworks::of_source(conn, source, &draft.title)?,
        (None, None) => None,
    };
    let found = target.map(|id| find_for_change(conn, ctx, id)).transpose()?;
    let present = match &found {
        Some(row) => store::competencies::of_framework(conn, row.id)?,
        None => Vec::new(),
    };
    let new = found.is_none();
    let mut row = found.unwrap_or_else(|| blank(ctx, &draft.title));
    let settings = CompetencySettings { method: query.method.clone(), ..CompetencySettings::default() };
    let merged = merge(ctx, row.id, draft, &[settings], present)?;
    row.competency_count = i32::try_from(draft.competencies.len()).unwrap_or(i32::MAX);
    row.source = draft.source.clone().or(row.source);
    row.creator = draft.creator.clone().or(row.creator);
    row.source_version = draft.version.clone().or(row.source_version);
    // A title that somebody changed here stays.
    if row.source_title.as_ref().is_none_or(|title| *title == row.title) {
        row.title.clone_from(&draft.title);
    }
    if draft.source.is_some() {
        row.source_title = Some(draft.title.clone());
    }
    let same = !new && merged.rows.is_empty();
    let dry_run = query.dry_run.unwrap_or(false);
    if !new && !same {
        row.edition = row.edition.saturating_add(1);
        row.version = row.version.saturating_add(1);
        row.updated_at = ctx.now;
    }
    if !dry_run && !same {
        write(conn, ctx, &row, &merged, new)?;
    }
    Ok(ImportOut {
        framework: out(row),
        added: merged.added,
        changed: merged.changed,
        unchanged: merged.unchanged,
        retired: merged.retired,
        left_out: draft.left_out.clone(),
        dry_run,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_stand_before_their_children_whatever_the_order() {
        let competency = |key: &str, parent: Option<&str>| DraftCompetency {
            key: key.to_owned(),
            parent: parent.map(str::to_owned),
            ..DraftCompetency::default()
        };
        let list =
            [competency("c", Some("b")), competency("b", Some("a")), competency("d", None), competency("a", None)];
        assert_eq!(parents_first(&list), [3, 1, 0, 2]);
    }
}
