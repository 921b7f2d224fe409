//! Use cases about frameworks.

use serde_json::{Value, json};
use uuid::Uuid;

use super::importing::{self, Merged};
use super::{reckoning, require};
use crate::db::page::{PageRequest, Rows};
use crate::db::{Conn, LockTable, lock_row};
use crate::domain::framework::{Draft, DraftCompetency, case};
use crate::domain::permission::Act;
use crate::error::{AppError, AppResult, Code};
use crate::events::{self, NewEvent};
use crate::features::competencies::dto::{
    CasePackageOut, CaseVersion, CompetencySettings, FrameworkIn, FrameworkOut, FrameworkPatch, FrameworkQuery,
    FrameworkVersionOut,
};
use crate::features::competencies::store::frameworks::{FrameworkRow, VersionRow};
use crate::features::competencies::store::{self};
use crate::http::{Conditions, Patch};
use crate::state::Ctx;

pub(super) fn out(row: FrameworkRow) -> FrameworkOut {
    FrameworkOut {
        id: row.id,
        title: row.title,
        description: row.description,
        source: row.source,
        creator: row.creator,
        source_version: row.source_version,
        edition: row.edition,
        competency_count: row.competency_count,
        created_by: row.created_by,
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
    }
}

/// Finds a framework that the actor may read.
pub(super) fn find(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<FrameworkRow> {
    require(ctx, Act::ReadFramework)?;
    store::frameworks::find(conn, id)?.ok_or_else(|| AppError::not_found("framework"))
}

/// Finds a framework that the actor may change, locked.
pub(super) fn find_for_change(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<FrameworkRow> {
    require(ctx, Act::WriteFramework)?;
    lock_row(conn, LockTable::Frameworks, id)?;
    store::frameworks::find(conn, id)?.ok_or_else(|| AppError::not_found("framework"))
}

/// Raises the version and writes the row.
pub(super) fn save(conn: &mut Conn, ctx: &Ctx, row: &mut FrameworkRow) -> AppResult<()> {
    row.version = row.version.saturating_add(1);
    row.updated_at = ctx.now;
    Ok(store::frameworks::update(conn, row)?)
}

/// One framework.
///
/// # Errors
/// 403, 404.
pub fn get(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<FrameworkOut> {
    Ok(out(find(conn, ctx, id)?))
}

/// A page of frameworks.
///
/// # Errors
/// 403.
pub fn list(conn: &mut Conn, ctx: &Ctx, filter: &FrameworkQuery, page: &PageRequest) -> AppResult<Rows<FrameworkOut>> {
    require(ctx, Act::ReadFramework)?;
    Ok(store::frameworks::list(conn, filter.updated_since, page)?.map(out))
}

/// A framework row that is not stored yet.
pub(super) fn blank(ctx: &Ctx, title: &str) -> FrameworkRow {
    FrameworkRow {
        id: ctx.new_id(),
        title: title.trim().to_owned(),
        description: String::new(),
        source: None,
        source_title: None,
        creator: None,
        source_version: None,
        edition: 1,
        competency_count: 0,
        version: 1,
        created_by: ctx.actor.user_id(),
        created_at: ctx.now,
        updated_at: ctx.now,
    }
}

/// Writes a version of a framework with its competencies.
pub(super) fn write(conn: &mut Conn, ctx: &Ctx, row: &FrameworkRow, merged: &Merged, new: bool) -> AppResult<()> {
    if new {
        store::frameworks::insert(conn, row)?;
    } else {
        store::frameworks::update(conn, row)?;
    }
    store::competencies::save_many(conn, &merged.rows)?;
    reckoning::enqueue(conn, ctx, &merged.reckoned.iter().copied().collect::<Vec<_>>())?;
    store::frameworks::insert_version(
        conn,
        &VersionRow {
            id: ctx.new_id(),
            framework_id: row.id,
            number: row.edition,
            label: row.source_version.clone(),
            added: merged.added,
            changed: merged.changed,
            retired: merged.retired,
            made_by: ctx.actor.user_id(),
            made_at: ctx.now,
        },
    )?;
    let data = json!({
        "edition": row.edition, "added": merged.added, "changed": merged.changed, "retired": merged.retired,
        "competencies": row.competency_count,
    });
    let kind = if new { "framework.created" } else { "framework.imported" };
    events::append(conn, ctx, vec![NewEvent::new(kind, "framework", row.id).data(data)])
}

/// Makes a framework with its competencies.
///
/// # Errors
/// 403.
pub fn create(conn: &mut Conn, ctx: &Ctx, input: FrameworkIn) -> AppResult<FrameworkOut> {
    require(ctx, Act::WriteFramework)?;
    let settings: Vec<CompetencySettings> = input.competencies.iter().map(|c| c.settings()).collect();
    let draft = input.draft();
    let mut row = blank(ctx, &draft.title);
    row.description = input.description.unwrap_or_default();
    let merged = importing::merge(ctx, row.id, &draft, &settings, Vec::new())?;
    row.competency_count = merged.added;
    write(conn, ctx, &row, &merged, true)?;
    Ok(out(row))
}

/// Changes a framework's own fields.
///
/// # Errors
/// 403, 404, 412.
pub fn update(
    conn: &mut Conn,
    ctx: &Ctx,
    id: Uuid,
    patch: FrameworkPatch,
    conditions: &Conditions,
) -> AppResult<FrameworkOut> {
    let mut row = find_for_change(conn, ctx, id)?;
    conditions.require(row.version)?;
    if let Patch::Value(title) = patch.title {
        row.title = title.trim().to_owned();
    }
    row.description = patch.description.over(Some(row.description)).unwrap_or_default();
    save(conn, ctx, &mut row)?;
    events::append(conn, ctx, vec![NewEvent::new("framework.updated", "framework", row.id)])?;
    Ok(out(row))
}

/// Deletes a framework to whose competencies nothing refers.
///
/// # Errors
/// 403, 404, 412; 409 while evidence, targets or courses refer to it.
pub fn delete(conn: &mut Conn, ctx: &Ctx, id: Uuid, conditions: &Conditions) -> AppResult<()> {
    let row = find_for_change(conn, ctx, id)?;
    conditions.require(row.version)?;
    if store::frameworks::in_use(conn, id)? {
        let detail = "Evidence, targets or published courses refer to its competencies; retire those instead.";
        return Err(AppError::new(Code::WrongState, detail));
    }
    store::frameworks::delete(conn, id)?;
    events::append(conn, ctx, vec![NewEvent::new("framework.deleted", "framework", id)])
}

/// A page of a framework's versions, oldest first.
///
/// # Errors
/// 403, 404.
pub fn list_versions(conn: &mut Conn, ctx: &Ctx, id: Uuid, page: &PageRequest) -> AppResult<Rows<FrameworkVersionOut>> {
    let framework = find(conn, ctx, id)?;
    Ok(store::frameworks::list_versions(conn, framework.id, page)?.map(|row| FrameworkVersionOut {
        id: row.id,
        number: row.number,
        label: row.label,
        added: row.added,
        changed: row.changed,
        retired: row.retired,
        made_by: row.made_by,
        made_at: row.made_at,
    }))
}

fn values<T: serde::Serialize>(list: Vec<T>) -> AppResult<Vec<Value>> {
    list.into_iter().map(|item| serde_json::to_value(item).map_err(AppError::internal)).collect()
}

/// A framework as a CASE package; retired competencies are no part of it.
///
/// # Errors
/// 403, 404.
pub fn export(conn: &mut Conn, ctx: &Ctx, id: Uuid, version: CaseVersion, base: &str) -> AppResult<CasePackageOut> {
    let row = find(conn, ctx, id)?;
    let rows = store::competencies::of_framework(conn, id)?;
    let keys: std::collections::HashMap<Uuid, String> = rows.iter().map(|c| (c.id, c.key.clone())).collect();
    let live = rows.into_iter().filter(|c| c.retired_at.is_none());
    let draft = Draft {
        source: row.source.clone(),
        title: row.title,
        description: Some(row.description).filter(|text| !text.is_empty()),
        creator: row.creator,
        version: row.source_version,
        competencies: live
            .map(|c| DraftCompetency {
                parent: c.parent_id.and_then(|parent| keys.get(&parent).cloned()),
                key: c.key,
                title: c.title,
                code: c.code,
                kind: c.kind,
                description: c.description,
            })
            .collect(),
        ..Draft::default()
    };
    let (folder, edition) = match version {
        CaseVersion::V1_0 => ("v1p0", None),
        CaseVersion::V1_1 => ("v1p1", Some("1.1")),
    };
    let changed = row.updated_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let document = row.source.unwrap_or_else(|| row.id.to_string());
    let package = case::write(&draft, &document, &format!("{base}/ims/case/{folder}"), &changed);
    let mut document = serde_json::to_value(package.document).map_err(AppError::internal)?;
    if let (Some(edition), Value::Object(members)) = (edition, &mut document) {
        members.insert("caseVersion".into(), Value::from(edition));
    }
    Ok(CasePackageOut { document, items: values(package.items)?, associations: values(package.associations)? })
}
