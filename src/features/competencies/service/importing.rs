//! Frameworks from elsewhere: a draft is merged into what is there, set-based.
//!
//! A competency keeps its id, and with it its evidence and the courses that name it, as long as its key is in the package. What is
//! not in it any more is retired; how mastery is reckoned is never changed by an import.

use std::collections::{BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use super::frameworks::{blank, find_for_change, out, write};
use super::{require, text};
use crate::db::{Conn, LockWhole, lock_whole};
use crate::domain::framework::{Draft, DraftCompetency};
use crate::domain::mastery::Level;
use crate::domain::permission::Act;
use crate::error::AppResult;
use crate::features::competencies::dto::{CompetencySettings, ImportOut, ImportQuery};
use crate::features::competencies::store::competencies::CompetencyRow;
use crate::features::competencies::store::{self};
use crate::state::Ctx;

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
    /// Those that roll up, and from other competencies than before.
    pub(super) reckoned: BTreeSet<Uuid>,
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
    let rolling: HashSet<Uuid> = present.iter().filter(|row| row.rollup.is_some()).map(|row| row.id).collect();
    let mut present: HashMap<String, CompetencyRow> = present.into_iter().map(|row| (row.key.clone(), row)).collect();
    let ids: HashMap<&str, Uuid> = draft
        .competencies
        .iter()
        .map(|c| (c.key.as_str(), present.get(&c.key).map_or_else(|| ctx.new_id(), |row| row.id)))
        .collect();
    let mut merged =
        Merged { rows: Vec::new(), added: 0, changed: 0, retired: 0, unchanged: 0, reckoned: BTreeSet::new() };
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
        // What counts for its parent: whether it is there, and where.
        let was = old.as_ref().map(|old| (old.parent_id, old.retired_at.is_none()));
        if was != Some((row.parent_id, true)) {
            let parents = [row.parent_id, old.as_ref().and_then(|old| old.parent_id)].into_iter().flatten();
            merged.reckoned.extend(parents.filter(|parent| rolling.contains(parent)));
        }
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
        merged.reckoned.extend(row.parent_id.filter(|parent| rolling.contains(parent)));
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

/// Whether the actor may import at all.
///
/// # Errors
/// 403.
pub fn may(ctx: &Ctx) -> AppResult<()> {
    require(ctx, Act::WriteFramework)
}

/// The framework that a package from this source is a version of: one that came from there under this title, else one that was made
/// here and left under its own id.
fn known(conn: &mut Conn, source: &str, title: &str) -> AppResult<Option<Uuid>> {
    if let Some(id) = store::frameworks::of_source(conn, source, title)? {
        return Ok(Some(id));
    }
    let Ok(id) = Uuid::parse_str(source) else { return Ok(None) };
    let own = store::frameworks::find(conn, id)?.filter(|row| row.source.is_none());
    Ok(own.map(|row| row.id))
}

/// Imports a draft: as a new framework, or as the next version of one that is there.
///
/// # Errors
/// 403; 404 for a framework that does not exist.
pub fn import(conn: &mut Conn, ctx: &Ctx, draft: &Draft, query: &ImportQuery) -> AppResult<ImportOut> {
    may(ctx)?;
    let target = match (query.framework_id, &draft.source) {
        (Some(id), _) => Some(id),
        (None, Some(source)) => {
            // Of two first imports of one package at once, the second is a version of what the first makes.
            lock_whole(conn, LockWhole::Imports)?;
            known(conn, source, &draft.title)?
        }
        (None, None) => None,
    };
    let found = target.map(|id| find_for_change(conn, ctx, id)).transpose()?;
    let present = match &found {
        Some(row) => store::competencies::of_framework(conn, row.id)?,
        None => Vec::new(),
    };
    let new = found.is_none();
    let mut row = found.unwrap_or_else(|| blank(ctx, &draft.title));
    let before = row.clone();
    // One that was made here has no other source when it comes back.
    let source = draft.source.clone().filter(|source| Uuid::parse_str(source) != Ok(row.id));
    let settings = CompetencySettings { method: query.method.clone(), ..CompetencySettings::default() };
    let merged = merge(ctx, row.id, draft, &[settings], present)?;
    row.competency_count = i32::try_from(draft.competencies.len()).unwrap_or(i32::MAX);
    // What leaves under a title that somebody gave it here does not change what it is called elsewhere.
    let title = if draft.title.is_empty() { row.title.clone() } else { draft.title.clone() };
    let ours = row.source_title.is_some() && row.title == title;
    let named_elsewhere = source.is_some() && !ours;
    row.source = source.or(row.source);
    row.description = draft.description.clone().unwrap_or(row.description);
    row.creator = draft.creator.clone().or(row.creator);
    row.source_version = draft.version.clone().or(row.source_version);
    // A title that somebody changed here stays.
    if row.source_title.as_ref().is_none_or(|title| *title == row.title) {
        row.title.clone_from(&title);
    }
    if named_elsewhere {
        row.source_title = Some(title);
    }
    let same = !new && merged.rows.is_empty() && row == before;
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
