//! Use cases about what a course requires, and who is behind on it.

use std::collections::{BTreeSet, HashMap};

use serde_json::json;
use uuid::Uuid;

use super::{Reaches, due};
use crate::db::Conn;
use crate::db::page::{Cursor, PageRequest, Rows};
use crate::domain::condition::Required;
use crate::domain::lint::named_competencies;
use crate::domain::mastery::behind::behind_days;
use crate::domain::mastery::reach::{Reach, Tree};
use crate::domain::mastery::reaches;
use crate::domain::path;
use crate::domain::permission::{Act, Relation};
use crate::error::{AppError, AppResult};
use crate::events::{self, NewEvent};
use crate::features::competencies::dto::{
    BehindOut, BehindQuery, EnrollmentTargetOut, EnrollmentTargets, TargetIn, TargetList, TargetOut,
};
use crate::features::competencies::store::competencies::CompetencyRow;
use crate::features::competencies::store::targets::{BehindRow, TargetRow};
use crate::features::competencies::store::{self};
use crate::features::enrollments::state::Loaded;
use crate::features::{courses, enrollments};
use crate::http::{Conditions, Ref};
use crate::state::Ctx;

/// Targets that a course may have.
const MAX_TARGETS: usize = 200;

pub(super) fn out(row: TargetRow) -> TargetOut {
    TargetOut {
        competency_id: row.competency_id,
        at_least: row.at_least,
        level: row.level,
        due_at: row.due_at,
        due_days: row.due_days,
        behind_days: row.behind_days,
        updated_at: row.updated_at,
        version: row.version,
    }
}

/// The row that an input means.
pub(super) fn row(
    ctx: &Ctx,
    scope: (&str, Uuid),
    competency: &CompetencyRow,
    input: &TargetIn,
    at: &str,
) -> AppResult<TargetRow> {
    let levels: Vec<crate::domain::mastery::Level> = super::json(&competency.levels)?;
    let at_least = input.at_least.threshold(&levels).ok_or_else(|| {
        AppError::field(&format!("{at}/at_least"), "unknown_level", "The competency has no level of this name.")
    })?;
    Ok(TargetRow {
        id: ctx.new_id(),
        scope_kind: scope.0.to_owned(),
        scope_id: scope.1,
        competency_id: competency.id,
        at_least,
        level: match &input.at_least {
            Required::Level(name) => Some(name.clone()),
            Required::Mastery(_) => None,
        },
        due_at: input.due_at,
        due_days: input.due_days,
        behind_days: input.behind_days.unwrap_or(1),
        version: 1,
        created_at: ctx.now,
        updated_at: ctx.now,
    })
}

/// The targets of a course.
///
/// # Errors
/// 403, 404.
pub fn list(conn: &mut Conn, ctx: &Ctx, which: &Ref) -> AppResult<TargetList> {
    let course = courses::find(conn, ctx, which, Act::ReadCoverage)?;
    ctx.require(Act::ReadCoverage, &courses::relation(course.id))?;
    Ok(TargetList { items: store::targets::of_scopes(conn, &[course.id])?.into_iter().map(out).collect() })
}

/// Sets what a course requires of a competency.
///
/// # Errors
/// 403, 404, 412; 422 for a competency or level that does not exist.
pub fn set(
    conn: &mut Conn,
    ctx: &Ctx,
    which: &Ref,
    competency: Uuid,
    input: &TargetIn,
    conditions: &Conditions,
) -> AppResult<TargetOut> {
    let course = courses::find(conn, ctx, which, Act::WriteTarget)?;
    ctx.require(Act::WriteTarget, &courses::relation(course.id))?;
    crate::db::lock_row(conn, crate::db::LockTable::Courses, course.id)?;
    let found = store::competencies::find(conn, competency)?.ok_or_else(|| AppError::not_found("competency"))?;
    // A target lets those who teach the course see how far its learners are: only who has a say in all courses adds to that.
    if !ctx.may(Act::WriteTarget, &Relation::default())
        && !store::competencies::is_of_course(conn, course.id, competency)?
        && !named_competencies(&courses::outline_of(conn, &course, None)?).contains(&competency)
    {
        let detail = "The course is not about this competency; an author or instructor of all courses can require it.";
        return Err(AppError::field("/competency_id", "not_in_course", detail));
    }
    let mut target = row(ctx, ("course", course.id), &found, input, "")?;
    let old = store::targets::find(conn, course.id, competency)?;
    match &old {
        Some(old) => {
            conditions.require(old.version)?;
            target.id = old.id;
            target.version = old.version.saturating_add(1);
            target.created_at = old.created_at;
            // Another date is another promise: whoever breaks it is told of again.
            if (old.due_at, old.due_days, old.behind_days) != (target.due_at, target.due_days, target.behind_days) {
                store::targets::unmark_target(conn, old.id)?;
            }
        }
        None if store::targets::of_scopes(conn, &[course.id])?.len() >= MAX_TARGETS => {
            return Err(AppError::field("", "too_many", "A course has at most 200 targets."));
        }
        None => {}
    }
    store::targets::save(conn, std::slice::from_ref(&target))?;
    let data = json!({"competency_id": competency, "at_least": target.at_least, "due_at": target.due_at, "due_days": target.due_days});
    events::append(conn, ctx, vec![NewEvent::new("target.set", "course", course.id).course(course.id).data(data)])?;
    Ok(out(target))
}

/// Takes a target away.
///
/// # Errors
/// 403, 404.
pub fn remove(conn: &mut Conn, ctx: &Ctx, which: &Ref, competency: Uuid) -> AppResult<()> {
    let course = courses::find(conn, ctx, which, Act::WriteTarget)?;
    ctx.require(Act::WriteTarget, &courses::relation(course.id))?;
    if store::targets::delete(conn, course.id, competency)? == 0 {
        return Err(AppError::not_found("target"));
    }
    let data = json!({"competency_id": competency});
    events::append(conn, ctx, vec![NewEvent::new("target.removed", "course", course.id).course(course.id).data(data)])
}

/// What a course requires of one learner, how far that is, and what would help.
///
/// # Errors
/// 404.
pub fn of_enrollment(conn: &mut Conn, ctx: &Ctx, enrollment: Uuid) -> AppResult<EnrollmentTargets> {
    let row = enrollments::state::find(conn, ctx, enrollment, Act::ReadEnrollment)?;
    let targets = store::targets::of_scopes(conn, &[row.course_id])?;
    let (since, user) = (row.enrolled_at, row.user_id);
    let wanted: Vec<Uuid> = targets.iter().map(|target| target.competency_id).collect();
    let known = store::evidence::with_mastery_below(conn, user, &wanted)?;
    let tree = known.iter().map(|(row, _)| row.node()).collect::<AppResult<Tree>>()?;
    let mastery: HashMap<Uuid, f64> =
        known.iter().filter_map(|(row, mastery)| Some((row.id, mastery.as_ref()?.value?))).collect();
    let loaded = if row.revision_id.is_some() { Some(enrollments::state::load(conn, row)?) } else { None };
    let help = |competency: Uuid, asked: f64| -> Vec<String> {
        let reach = tree.reach(competency).of(|id| mastery.get(&id).copied());
        loaded.as_ref().map(|loaded| helping(loaded, ctx, &reach, asked)).unwrap_or_default()
    };
    let items = targets.into_iter().filter_map(|target| {
        let (competency, mastery) = known.iter().find(|(row, _)| row.id == target.competency_id)?;
        let mastery = mastery.as_ref().and_then(|row| row.value);
        let asked = target.at_least;
        let met = mastery.is_some_and(|value| reaches(value, asked));
        let due_at = due(target.due_at, target.due_days).map(|due| due.instant(since));
        Some(EnrollmentTargetOut {
            competency_id: competency.id,
            key: competency.key.clone(),
            title: competency.title.clone(),
            at_least: target.at_least,
            level: target.level,
            mastery,
            met,
            due_at,
            behind_days: due_at.and_then(|due| behind_days(mastery, target.at_least, due, ctx.now)),
            suggested_modules: if met { Vec::new() } else { help(competency.id, asked) },
        })
    });
    Ok(EnrollmentTargets { items: items.collect() })
}

/// Modules of an enrollment that would help with a competency, the best ten.
fn helping(loaded: &Loaded, ctx: &Ctx, reach: &Reach, asked: f64) -> Vec<String> {
    let mut modules = path::suggestions(&loaded.outline, &loaded.facts, ctx.now, reach, asked);
    modules.truncate(10);
    modules
}

/// Modules that would help each of these, by position.
pub(super) fn suggestions(conn: &mut Conn, ctx: &Ctx, rows: &[BehindRow]) -> AppResult<Vec<Vec<String>>> {
    let enrolled: BTreeSet<Uuid> =
        rows.iter().filter(|row| row.revision.is_some()).filter_map(|row| row.enrollment).collect();
    let enrolled: Vec<Uuid> = enrolled.into_iter().collect();
    let loaded: HashMap<Uuid, Loaded> =
        enrollments::state::load_all(conn, &enrolled)?.into_iter().map(|loaded| (loaded.row.id, loaded)).collect();
    let rolling: BTreeSet<Uuid> = rows.iter().filter(|row| row.rolls_up).map(|row| row.competency).collect();
    let users: BTreeSet<Uuid> = rows.iter().filter(|row| row.rolls_up).map(|row| row.user).collect();
    let (rolling, users): (Vec<Uuid>, Vec<Uuid>) = (rolling.into_iter().collect(), users.into_iter().collect());
    let reaches = Reaches::load(conn, &users, &rolling)?;
    let help = |row: &BehindRow| {
        let loaded = row.enrollment.and_then(|id| loaded.get(&id));
        let reach = reaches.get(row.user, row.competency).unwrap_or_else(|| Reach::alone(row.competency));
        loaded.map(|loaded| helping(loaded, ctx, &reach, row.at_least)).unwrap_or_default()
    };
    Ok(rows.iter().map(help).collect())
}

/// A page of those who are behind in a course; all of one learner stand on one page.
///
/// # Errors
/// 403, 404.
pub fn behind(
    conn: &mut Conn,
    ctx: &Ctx,
    which: &Ref,
    filter: &BehindQuery,
    page: &PageRequest,
) -> AppResult<Rows<BehindOut>> {
    let course = courses::find(conn, ctx, which, Act::ReadMastery)?;
    ctx.require(Act::ReadMastery, &courses::relation(course.id))?;
    // Enough to hold the whole of a learner who is cut off at the end of the page.
    let wide = PageRequest { limit: page.limit.saturating_add(200), after: page.after };
    let mut rows = store::targets::behind_in_course(conn, course.id, filter.competency_id, &wide, ctx.now)?;
    let next = cut(&mut rows, page.limit);
    let helps = suggestions(conn, ctx, &rows)?;
    let items = rows.into_iter().zip(helps).filter_map(|(row, suggested_modules)| {
        let due_at = due(row.due_at, row.due_days)?.instant(row.since);
        Some(BehindOut {
            user_id: row.user,
            enrollment_id: row.enrollment?,
            competency_id: row.competency,
            at_least: row.at_least,
            due_at,
            behind_days: behind_days(row.value, row.at_least, due_at, ctx.now)?,
            mastery: row.value,
            suggested_modules,
        })
    });
    Ok(Rows { items: items.collect(), next })
}

/// Cuts rows after the last learner who fits on the page whole, or after the first; answers where the next page begins.
fn cut(rows: &mut Vec<BehindRow>, limit: i64) -> Option<String> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if rows.len() <= limit {
        return None;
    }
    let crossing = rows.get(limit).map(|row| row.user)?;
    let starts = rows.iter().position(|row| row.user == crossing).unwrap_or(0);
    let keep = if starts > 0 { starts } else { rows.iter().position(|row| row.user != crossing).unwrap_or(rows.len()) };
    if keep == rows.len() {
        return None;
    }
    rows.truncate(keep);
    rows.last().map(|row| Cursor { after: row.user }.encode())
}
