//! Use cases about single competencies.

use std::collections::BTreeSet;

use serde_json::json;
use uuid::Uuid;

use super::frameworks::{find_for_change, save};
use super::importing::{new_row, threshold};
use super::{Competency, reckoning, require, text};
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::domain::lint;
use crate::domain::mastery::{Level, Method, Params};
use crate::domain::permission::Act;
use crate::error::{AppError, AppResult, Code, Faults, is_unique_violation};
use crate::events::{self, NewEvent};
use crate::features::competencies::dto::{CompetencyIn, CompetencyOut, CompetencyPatch, CompetencyQuery};
use crate::features::competencies::store::competencies::{CompetencyRow, Filter};
use crate::features::competencies::store::{self};
use crate::http::{Conditions, Patch};
use crate::state::Ctx;

fn out(row: CompetencyRow) -> AppResult<CompetencyOut> {
    let competency = Competency::read(row)?;
    let formula = match competency.rollup {
        Some(rollup) => rollup.formula(competency.row.mastered_at_least),
        None => competency.method.formula(),
    };
    let row = competency.row;
    Ok(CompetencyOut {
        id: row.id,
        framework_id: row.framework_id,
        parent_id: row.parent_id,
        key: row.key,
        title: row.title,
        description: row.description,
        code: row.code,
        kind: row.kind,
        position: row.position,
        method: row.method,
        params: competency.params,
        formula,
        levels: competency.levels,
        mastered_at_least: row.mastered_at_least,
        rollup: competency.rollup,
        required: row.required,
        points: row.points,
        retired: row.retired_at.is_some(),
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
    })
}

fn missing() -> AppError {
    AppError::not_found("competency")
}

/// One competency.
///
/// # Errors
/// 403, 404.
pub fn get(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<CompetencyOut> {
    require(ctx, Act::ReadFramework)?;
    out(store::competencies::find(conn, id)?.ok_or_else(missing)?)
}

/// A page of competencies.
///
/// # Errors
/// 403.
pub fn list(
    conn: &mut Conn,
    ctx: &Ctx,
    filter: &CompetencyQuery,
    page: &PageRequest,
) -> AppResult<Rows<CompetencyOut>> {
    require(ctx, Act::ReadFramework)?;
    let filter = Filter {
        framework: filter.framework_id,
        parent: filter.parent_id,
        top: filter.top.unwrap_or(false),
        q: filter.q.as_deref(),
        key: filter.key.as_deref(),
        retired: filter.include_retired.unwrap_or(false),
        updated_since: filter.updated_since,
    };
    let rows = store::competencies::list(conn, &filter, page)?;
    let items = rows.items.into_iter().map(out).collect::<AppResult<_>>()?;
    Ok(Rows { items, next: rows.next })
}

/// A parent must be of the same framework, and not below the competency itself.
fn check_parent(
    conn: &mut Conn,
    framework: Uuid,
    own: Option<Uuid>,
    parent: Uuid,
    faults: &mut Faults,
) -> AppResult<()> {
    let found = store::competencies::find(conn, parent)?.filter(|row| row.framework_id == framework);
    if found.is_none() {
        faults.add("/parent_id", "unknown_competency", "There is no such competency in this framework.");
        return Ok(());
    }
    let below = own == Some(parent)
        || (own.is_some() && store::competencies::above(conn, &[parent])?.iter().any(|id| Some(*id) == own));
    faults.ensure(!below, "/parent_id", "cycle", "A competency cannot stand below itself.");
    Ok(())
}

/// Makes a competency, at the end of its framework.
///
/// # Errors
/// 403; 409 when the key is taken; 422 for a framework or parent that does not exist.
pub fn create(conn: &mut Conn, ctx: &Ctx, input: CompetencyIn) -> AppResult<CompetencyOut> {
    let unknown = || AppError::field("/framework_id", "unknown_framework", "There is no such framework.");
    let mut framework = find_for_change(conn, ctx, input.framework_id).map_err(|e| e.when_missing(unknown))?;
    let mut faults = Faults::new();
    if let Some(parent) = input.parent_id {
        check_parent(conn, framework.id, None, parent, &mut faults)?;
    }
    faults.finish()?;
    if store::competencies::by_key(conn, framework.id, &input.key)?.is_some() {
        let fault = AppError::field("/key", "taken", "Another competency of the framework has this key.");
        return Err(AppError::new(Code::Conflict, "Another competency of the framework has this key.")
            .with_errors(fault.errors().to_vec()));
    }
    let settings = input.settings();
    framework.competency_count = framework.competency_count.saturating_add(1);
    let row = CompetencyRow {
        parent_id: input.parent_id,
        title_key: input.title.to_lowercase(),
        key: input.key,
        title: input.title,
        description: input.description,
        code: input.code,
        kind: input.kind,
        position: framework.competency_count,
        ..new_row(ctx, framework.id, ctx.new_id(), &settings)?
    };
    store::competencies::save_many(conn, std::slice::from_ref(&row)).map_err(|error| {
        if is_unique_violation(&error) { AppError::new(Code::Conflict, "The key is taken.") } else { error.into() }
    })?;
    save(conn, ctx, &mut framework)?;
    // One that a parent requires, and of which nothing is known yet, takes the parent's value away.
    reckoning::enqueue(conn, ctx, row.parent_id.as_slice())?;
    let data = json!({"framework_id": row.framework_id, "key": row.key});
    events::append(conn, ctx, vec![NewEvent::new("competency.created", "competency", row.id).data(data)])?;
    out(row)
}

fn find_for(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<CompetencyRow> {
    require(ctx, Act::WriteFramework)?;
    let row = store::competencies::find(conn, id)?.ok_or_else(missing)?;
    find_for_change(conn, ctx, row.framework_id)?;
    // Read again under the lock of its framework.
    store::competencies::find(conn, id)?.ok_or_else(missing)
}

/// Method and parameters after a patch.
fn method(row: &CompetencyRow, patch: &CompetencyPatch, faults: &mut Faults) -> AppResult<(String, Params)> {
    let name = patch.method.value().unwrap_or(&row.method).clone();
    let params = match (&patch.params, &patch.method) {
        (Patch::Value(params), _) => *params,
        // Another method begins with its defaults; the same one goes on as it is.
        (Patch::Absent, _) if name == row.method => super::json(&row.params)?,
        _ => Params::default(),
    };
    for fault in Method::new(&name, &params).err().into_iter().flatten() {
        faults.add(fault.pointer, "invalid_method", fault.detail);
    }
    Ok((name, params))
}

/// Levels that published courses and targets name may come lower, not go or rise: learners would lose what they rest on.
fn keep_named(conn: &mut Conn, row: &CompetencyRow, levels: &[Level]) -> AppResult<()> {
    let old: Vec<Level> = super::json(&row.levels)?;
    let lost = |old: &Level| !levels.iter().any(|new| new.name == old.name && new.at_least <= old.at_least);
    let lost: Vec<String> = old.into_iter().filter(lost).map(|level| level.name).collect();
    if lost.is_empty() {
        return Ok(());
    }
    let mut named_by = Vec::new();
    for (course, number, outline) in store::competencies::revisions_asking(conn, row.id)? {
        let asked = lint::asked_levels(&super::json(&outline)?, row.id);
        let levels = lost.iter().filter(|name| asked.contains(*name));
        named_by
            .extend(levels.map(|level| json!({"kind": "revision", "id": course, "revision": number, "level": level})));
    }
    for (kind, id, level) in store::targets::naming(conn, row.id, &lost)? {
        named_by.push(json!({"kind": format!("{kind}_target"), "id": id, "level": level}));
    }
    if named_by.is_empty() {
        return Ok(());
    }
    let is_named = |name: &&String| named_by.iter().any(|by| by.get("level") == Some(&json!(name)));
    let levels: Vec<String> = lost.iter().filter(is_named).map(|name| format!("`{name}`")).collect();
    let detail = format!(
        "Published courses or targets name {}, which would go or rise. Keep it, add others beside it, and take it away once nothing names it.",
        levels.join(", ")
    );
    Err(AppError::new(Code::InUse, detail).with("named_by", named_by))
}

/// Changes a competency; when it is reckoned in another way, the worker reckons everybody's mastery again.
///
/// # Errors
/// 403, 404, 412, 422; 409 for a level that something names and that would go or rise.
pub fn update(
    conn: &mut Conn,
    ctx: &Ctx,
    id: Uuid,
    patch: CompetencyPatch,
    conditions: &Conditions,
) -> AppResult<CompetencyOut> {
    let mut row = find_for(conn, ctx, id)?;
    conditions.require(row.version)?;
    let before = row.clone();
    let mut faults = Faults::new();
    patch.find_faults(&mut faults);
    let (name, params) = method(&row, &patch, &mut faults)?;
    row.parent_id = patch.parent_id.over(row.parent_id);
    if let Some(parent) = row.parent_id.filter(|parent| before.parent_id != Some(*parent)) {
        check_parent(conn, row.framework_id, Some(id), parent, &mut faults)?;
    }
    faults.finish()?;
    row.method = name;
    row.params = text(&params)?;
    if let Patch::Value(title) = patch.title {
        row.title_key = title.to_lowercase();
        row.title = title;
    }
    row.description = patch.description.over(row.description);
    row.code = patch.code.over(row.code);
    row.kind = patch.kind.over(row.kind);
    if let Patch::Value(levels) = patch.levels {
        keep_named(conn, &row, &levels)?;
        row.mastered_at_least = threshold(&levels);
        row.levels = text(&levels)?;
        for level in &levels {
            store::competencies::follow_level(conn, id, &level.name, level.at_least)?;
        }
    }
    match patch.rollup {
        Patch::Absent => {}
        Patch::Null => row.rollup = None,
        Patch::Value(rollup) => row.rollup = Some(text(&rollup)?),
    }
    row.required = patch.required.over(Some(row.required)).unwrap_or(true);
    row.points = patch.points.over(Some(row.points)).unwrap_or(1.0);
    if let Patch::Value(retired) = patch.retired {
        row.retired_at = if retired { row.retired_at.or(Some(ctx.now)) } else { None };
    }
    row.version = row.version.saturating_add(1);
    row.updated_at = ctx.now;
    store::competencies::save_many(conn, std::slice::from_ref(&row))?;
    if before.retired_at.is_some() != row.retired_at.is_some()
        && let Some(mut framework) = store::frameworks::find(conn, row.framework_id)?
    {
        let step = if row.retired_at.is_some() { -1 } else { 1 };
        framework.competency_count = framework.competency_count.saturating_add(step).max(0);
        save(conn, ctx, &mut framework)?;
    }
    let reckons = |row: &CompetencyRow| {
        let own = (row.method.clone(), row.params.clone(), row.levels.clone(), row.rollup.clone());
        (own, row.parent_id, row.required, row.points.to_bits(), row.retired_at.is_some())
    };
    if reckons(&before) != reckons(&row) {
        // What it left behind and what it comes to are reckoned too.
        let moved = [before.parent_id, row.parent_id].into_iter().flatten();
        let list: BTreeSet<Uuid> = std::iter::once(id).chain(moved).collect();
        reckoning::enqueue(conn, ctx, &list.into_iter().collect::<Vec<_>>())?;
    }
    let data = json!({"framework_id": row.framework_id, "key": row.key});
    events::append(conn, ctx, vec![NewEvent::new("competency.updated", "competency", id).data(data)])?;
    out(row)
}

/// Deletes a competency to which nothing refers.
///
/// # Errors
/// 403, 404, 412; 409 while something refers to it.
pub fn delete(conn: &mut Conn, ctx: &Ctx, id: Uuid, conditions: &Conditions) -> AppResult<()> {
    let row = find_for(conn, ctx, id)?;
    conditions.require(row.version)?;
    let used = store::competencies::users_of(conn, id)?;
    if !used.is_empty() {
        let detail = format!("{} refer to it; retire it instead.", used.join(", "));
        return Err(AppError::new(Code::WrongState, detail));
    }
    store::competencies::delete(conn, id)?;
    reckoning::enqueue(conn, ctx, row.parent_id.as_slice())?;
    if row.retired_at.is_none()
        && let Some(mut framework) = store::frameworks::find(conn, row.framework_id)?
    {
        framework.competency_count = framework.competency_count.saturating_sub(1).max(0);
        save(conn, ctx, &mut framework)?;
    }
    let data = json!({"framework_id": row.framework_id, "key": row.key});
    events::append(conn, ctx, vec![NewEvent::new("competency.deleted", "competency", id).data(data)])
}
