//! Use cases about outlines: the draft as one document and module by module, linting, publishing, simulating.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use uuid::Uuid;

use super::dto::{CourseStatus, PublishIn, Published, RevisionDetail, RevisionOut};
use super::service::{find, find_for, named, relation, save};
use super::store::{self, CourseRow, RevisionRow};
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::domain::lint::{self, LintReport};
use crate::domain::outline::{Compiled, Module, Outline};
use crate::domain::permission::Act;
use crate::domain::simulate::{self, Script, Simulation};
use crate::error::{AppError, AppResult, Code, Fault, Faults};
use crate::events::{self, NewEvent};
use crate::features::{competencies, games};
use crate::http::{Conditions, Ref};
use crate::state::Ctx;

fn parse(text: &str) -> AppResult<Outline> {
    serde_json::from_str(text).map_err(AppError::internal)
}

fn find_to_read(conn: &mut Conn, ctx: &Ctx, which: &Ref) -> AppResult<CourseRow> {
    let row = find(conn, ctx, which, Act::ReadOutline)?;
    ctx.require(Act::ReadOutline, &relation(row.id))?;
    Ok(row)
}

/// The draft and the course's version.
///
/// # Errors
/// 403, 404.
pub fn get(conn: &mut Conn, ctx: &Ctx, which: &Ref) -> AppResult<(Outline, i64)> {
    let row = find_to_read(conn, ctx, which)?;
    Ok((parse(&store::draft(conn, row.id)?)?, row.version))
}

fn write_draft(conn: &mut Conn, ctx: &Ctx, row: &mut CourseRow, outline: &Outline) -> AppResult<()> {
    let text = serde_json::to_string(outline).map_err(AppError::internal)?;
    store::set_draft(conn, row.id, &text)?;
    save(conn, ctx, row)?;
    events::append(conn, ctx, vec![NewEvent::new("course.outline_changed", "course", row.id).course(row.id)])
}

/// Replaces the draft. A draft may be unfinished; only publishing insists that the linter finds no errors.
///
/// # Errors
/// 403, 404, 412.
pub fn replace(
    conn: &mut Conn,
    ctx: &Ctx,
    which: &Ref,
    outline: Outline,
    conditions: &Conditions,
) -> AppResult<(Outline, i64)> {
    let mut row = find_for(conn, ctx, which, Act::WriteCourse)?;
    conditions.require(row.version)?;
    write_draft(conn, ctx, &mut row, &outline)?;
    Ok((outline, row.version))
}

fn no_module(key: &str) -> AppError {
    AppError::new(Code::NotFound, format!("The draft has no module with the key `{key}`."))
}

/// One module of the draft.
///
/// # Errors
/// 403, 404.
pub fn get_module(conn: &mut Conn, ctx: &Ctx, which: &Ref, key: &str) -> AppResult<(Module, i64)> {
    let (outline, version) = get(conn, ctx, which)?;
    let module = outline.find_module(key).cloned().ok_or_else(|| no_module(key))?;
    Ok((module, version))
}

/// Applies a merge patch (RFC 7396) to JSON.
fn merge(target: &mut Value, patch: Value) {
    match patch {
        Value::Object(fields) => {
            if !target.is_object() {
                *target = Value::Object(serde_json::Map::new());
            }
            if let Some(object) = target.as_object_mut() {
                for (name, value) in fields {
                    if value.is_null() {
                        object.remove(&name);
                    } else {
                        merge(object.entry(name).or_insert(Value::Null), value);
                    }
                }
            }
        }
        other => *target = other,
    }
}

/// Applies a merge patch to one module of the draft.
///
/// # Errors
/// 403, 404, 412; 422 with all faults of what the patch would make.
pub fn update_module(
    conn: &mut Conn,
    ctx: &Ctx,
    which: &Ref,
    key: &str,
    patch: Value,
    conditions: &Conditions,
) -> AppResult<(Module, i64)> {
    let mut row = find_for(conn, ctx, which, Act::WriteCourse)?;
    conditions.require(row.version)?;
    let mut outline = parse(&store::draft(conn, row.id)?)?;
    let module = outline.find_module_mut(key).ok_or_else(|| no_module(key))?;
    let mut value = serde_json::to_value(&*module).map_err(AppError::internal)?;
    merge(&mut value, patch);
    *module = crate::http::body::from_value(value)?;
    let changed = module.clone();
    write_draft(conn, ctx, &mut row, &outline)?;
    Ok((changed, row.version))
}

/// What the linter says of an outline, with what it names outside of it looked up.
fn check(conn: &mut Conn, ctx: &Ctx, row: &CourseRow, outline: &Outline) -> AppResult<LintReport> {
    let wanted = lint::named_courses(outline);
    let mut known = if wanted.is_empty() { Vec::new() } else { store::existing(conn, &wanted)? };
    let wanted = lint::named_games(outline);
    known.extend(if wanted.is_empty() { Vec::new() } else { games::existing(conn, &wanted)? });
    let wanted = lint::named_groups(outline);
    known.extend(if wanted.is_empty() { Vec::new() } else { store::existing_groups(conn, &wanted)? });
    let wanted = lint::named_competencies(outline);
    let found = if wanted.is_empty() { competencies::Named::default() } else { competencies::existing(conn, &wanted)? };
    let levels = found.levels;
    known.extend(levels.keys());
    let mut report = lint::lint(outline, named(&row.style)?, named(&row.delivery_mode)?, &known, ctx.now);
    report.errors.extend(lint::unknown_levels(outline, &levels));
    let asked = lint::due_competencies(outline);
    let due = if asked.is_empty() { HashSet::new() } else { competencies::due_somewhere(conn, &asked)? };
    let idle = lint::idle(outline, &found.rolls_up, &due).into_iter();
    report.warnings.extend(idle.filter(|(id, _)| levels.contains_key(id)).map(|(_, finding)| finding));
    // Only what seems to be proved nowhere is looked for below.
    let mut unproved = lint::unproved(outline, &HashMap::new());
    if !unproved.is_empty() {
        let ids: Vec<Uuid> = unproved.iter().map(|(id, _)| *id).filter(|id| levels.contains_key(id)).collect();
        let below = if ids.is_empty() { HashMap::new() } else { competencies::below(conn, &ids)? };
        unproved = lint::unproved(outline, &below);
        unproved.retain(|(id, _)| levels.contains_key(id));
    }
    report.warnings.extend(unproved.into_iter().map(|(_, finding)| finding));
    if lint::named_courses(outline).contains(&row.id) {
        let detail = "A condition asks for this very course; what it waits for comes only when the course is over.";
        report.error("/stages", "own_course", detail);
    }
    Ok(report)
}

/// Lints the draft.
///
/// # Errors
/// 403, 404.
pub fn lint_draft(conn: &mut Conn, ctx: &Ctx, which: &Ref) -> AppResult<LintReport> {
    let row = find_to_read(conn, ctx, which)?;
    let outline = parse(&store::draft(conn, row.id)?)?;
    check(conn, ctx, &row, &outline)
}

fn revision_out(row: RevisionRow) -> AppResult<RevisionOut> {
    Ok(RevisionOut {
        id: row.id,
        course_id: row.course_id,
        revision: row.number,
        style: named(&row.style)?,
        module_count: row.module_count,
        notes: row.notes,
        published_by: row.published_by,
        published_at: row.published_at,
    })
}

/// Publishes the draft as the next revision.
///
/// # Errors
/// 403, 404, 412; 409 for an archived course; 422 with the linter's errors.
pub fn publish(
    conn: &mut Conn,
    ctx: &Ctx,
    which: &Ref,
    input: PublishIn,
    conditions: &Conditions,
) -> AppResult<Published> {
    let mut row = find_for(conn, ctx, which, Act::WriteCourse)?;
    conditions.require(row.version)?;
    if row.archived_at.is_some() {
        return Err(AppError::new(Code::WrongState, "The course is archived; restore it before you publish."));
    }
    let text = store::draft(conn, row.id)?;
    let outline = parse(&text)?;
    let report = check(conn, ctx, &row, &outline)?;
    if !report.errors.is_empty() {
        let faults = report.errors.iter().map(|f| Fault {
            pointer: f.pointer.clone(),
            code: f.code.into(),
            detail: f.detail.clone(),
        });
        return Err(AppError::new(
            Code::LintFailed,
            format!("The draft has {} errors and cannot be published.", report.errors.len()),
        )
        .with_errors(faults.collect())
        .with("warnings", &report.warnings));
    }
    let compiled = Compiled::new(outline, named(&row.style)?);
    row.latest_revision = row.latest_revision.saturating_add(1);
    row.status = CourseStatus::Published.as_str().to_owned();
    row.published_at = Some(ctx.now);
    let revision = RevisionRow {
        id: ctx.new_id(),
        course_id: row.id,
        number: row.latest_revision,
        style: row.style.clone(),
        module_count: i32::try_from(compiled.module_count()).unwrap_or(i32::MAX),
        notes: input.notes,
        published_by: ctx.actor.user_id(),
        published_at: ctx.now,
    };
    store::insert_revision(conn, &revision, &text)?;
    competencies::index_revision(conn, row.id, revision.id, &compiled)?;
    save(conn, ctx, &mut row)?;
    let event = NewEvent::new("course.published", "course", row.id).course(row.id);
    events::append(conn, ctx, vec![event.data(serde_json::json!({"revision": revision.number}))])?;
    Ok(Published { revision: revision_out(revision)?, warnings: report.warnings })
}

/// A page of revisions, oldest first.
///
/// # Errors
/// 403, 404.
pub fn list_revisions(conn: &mut Conn, ctx: &Ctx, which: &Ref, page: &PageRequest) -> AppResult<Rows<RevisionOut>> {
    let row = find_to_read(conn, ctx, which)?;
    let rows = store::list_revisions(conn, row.id, page)?;
    let items = rows.items.into_iter().map(revision_out).collect::<AppResult<_>>()?;
    Ok(Rows { items, next: rows.next })
}

/// One revision with its outline.
///
/// # Errors
/// 403, 404.
pub fn get_revision(conn: &mut Conn, ctx: &Ctx, which: &Ref, number: i32) -> AppResult<RevisionDetail> {
    let row = find_to_read(conn, ctx, which)?;
    let (revision, text) = super::revision(conn, row.id, number)?;
    Ok(RevisionDetail { revision: revision_out(revision)?, outline: parse(&text)? })
}

/// Plays a script of hypothetical results against the draft or a revision; nothing is written.
///
/// # Errors
/// 403, 404; 422 for results that cannot be; 409 when the draft has lint errors, since it could behave in no way.
pub fn simulate(conn: &mut Conn, ctx: &Ctx, which: &Ref, script: &Script) -> AppResult<Simulation> {
    let row = find_to_read(conn, ctx, which)?;
    let number = script.revision;
    let (style, text) = match number {
        Some(number) => {
            let (revision, text) = super::revision(conn, row.id, number)?;
            (revision.style, text)
        }
        None => (row.style.clone(), store::draft(conn, row.id)?),
    };
    let outline = parse(&text)?;
    if number.is_none() {
        let report = check(conn, ctx, &row, &outline)?;
        if !report.errors.is_empty() {
            let faults = report.errors.iter().map(|f| Fault {
                pointer: f.pointer.clone(),
                code: f.code.into(),
                detail: f.detail.clone(),
            });
            return Err(AppError::new(Code::WrongState, "The draft has errors; mend them before you simulate.")
                .with_errors(faults.collect()));
        }
    }
    let compiled = Compiled::new(outline, named(&style)?);
    let named = simulate::named_competencies(script);
    let known = competencies::for_simulation(conn, row.id, &compiled, &named)?;
    let mut faults = Faults::new();
    for fault in simulate::check(script, &compiled, &known.iter().map(|competency| competency.entry.id).collect()) {
        faults.add(fault.pointer, fault.code, fault.detail);
    }
    faults.finish()?;
    Ok(simulate::play(&compiled, script, &known, ctx.now))
}

/// The outline of the draft, or of a revision; for other areas.
///
/// # Errors
/// 404.
pub fn outline_of(conn: &mut Conn, row: &CourseRow, revision: Option<i32>) -> AppResult<Outline> {
    match revision {
        Some(number) => parse(&super::revision(conn, row.id, number)?.1),
        None => parse(&store::draft(conn, row.id)?),
    }
}

/// The compiled outline of a revision.
///
/// # Errors
/// Database errors.
pub fn compile_revision(conn: &mut Conn, id: Uuid) -> AppResult<Compiled> {
    let (style, text) = store::revision_outline(conn, id)?;
    Ok(Compiled::new(parse(&text)?, named(&style)?))
}
