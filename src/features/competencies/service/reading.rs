//! Use cases of reading: a person's mastery with its provenance, and what a course covers.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Competency, evidence, find_person, find_person_about};
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::domain::mastery::coverage::{CoverageStatus, coverage};
use crate::domain::mastery::reach::Tree;
use crate::domain::mastery::reaches;
use crate::domain::permission::Act;
use crate::error::{AppError, AppResult};
use crate::features::competencies::dto::{
    ChildOut, CoverageItem, CoverageOut, InCourse, MasteryDetail, MasteryOut, MasteryQuery,
};
use crate::features::competencies::store::competencies::CompetencyRow;
use crate::features::competencies::store::evidence::MasteryRow;
use crate::features::competencies::store::{self};
use crate::features::courses;
use crate::http::Ref;
use crate::state::Ctx;

/// Pieces of evidence that a provenance shows.
const SHOWN: i64 = 500;

fn out(competency: &CompetencyRow, mastery: Option<&MasteryRow>) -> MasteryOut {
    let value = mastery.and_then(|row| row.value);
    let mastered = value.is_some_and(|value| reaches(value, competency.mastered_at_least));
    MasteryOut {
        competency_id: competency.id,
        framework_id: competency.framework_id,
        key: competency.key.clone(),
        title: competency.title.clone(),
        mastery: value,
        level: mastery.and_then(|row| row.level.clone()),
        mastered,
        // A threshold that was raised is known before everybody is reckoned by it.
        mastered_at: mastery.and_then(|row| row.mastered_at).filter(|_| mastered),
        evidence_count: mastery.map_or(0, |row| row.evidence_count),
        updated_at: mastery.map(|row| row.updated_at),
    }
}

fn ids_of(rows: Vec<CompetencyRow>) -> Vec<Uuid> {
    rows.into_iter().map(|row| row.id).collect()
}

/// A page of a person's mastery, by competency.
///
/// # Errors
/// 403, 404.
pub fn list(
    conn: &mut Conn,
    ctx: &Ctx,
    who: &Ref,
    filter: &MasteryQuery,
    page: &PageRequest,
) -> AppResult<Rows<MasteryOut>> {
    let (user, course) = find_person(conn, ctx, who, filter.course_id, Act::ReadMastery)?;
    let among = match course {
        Some(id) => {
            let course = courses::row(conn, id)?.ok_or_else(|| AppError::not_found("course"))?;
            Some(ids_of(store::competencies::of_courses(conn, &[course.id])?))
        }
        None => None,
    };
    let rows = store::evidence::list_mastery(conn, user.id, filter.framework_id, among.as_deref(), page)?;
    Ok(rows.map(|(mastery, competency)| out(&competency, Some(&mastery))))
}

/// A person's mastery of one competency, with everything that made the value.
///
/// # Errors
/// 403, 404.
pub fn get(conn: &mut Conn, ctx: &Ctx, who: &Ref, competency: Uuid, within: &InCourse) -> AppResult<MasteryDetail> {
    let missing = || AppError::not_found("competency");
    let (user, course) = find_person_about(conn, ctx, who, within.course_id, competency, Act::ReadMastery, missing)?;
    let found = store::evidence::with_mastery(conn, user.id, &[competency])?.into_iter().next();
    let (row, mastery) = found.ok_or_else(missing)?;
    let summary = out(&row, mastery.as_ref());
    let competency = Competency::read(row)?;
    let mut shown = store::evidence::newest(conn, user.id, competency.row.id, course, SHOWN)?;
    shown.reverse();
    let children = match competency.rollup {
        Some(_) => store::evidence::children_with_mastery(conn, user.id, &[competency.row.id])?,
        None => Vec::new(),
    };
    Ok(MasteryDetail {
        mastery: summary,
        method: competency.row.method.clone(),
        params: competency.params,
        formula: match competency.rollup {
            Some(rollup) => rollup.formula(competency.row.mastered_at_least),
            None => competency.method.formula(),
        },
        order_by: "submitted_at",
        mastered_at_least: competency.row.mastered_at_least,
        rollup: competency.rollup,
        evidence: shown.into_iter().map(evidence::out).collect(),
        children: children
            .into_iter()
            .map(|(child, mastery)| ChildOut {
                competency_id: child.id,
                key: child.key,
                title: child.title,
                mastery: mastery.and_then(|row| row.value),
                required: child.required,
                points: child.points,
                at_least: child.mastered_at_least,
            })
            .collect(),
    })
}

/// What a course teaches and assesses; of the draft, or of a revision.
///
/// # Errors
/// 403, 404.
pub fn course_coverage(conn: &mut Conn, ctx: &Ctx, which: &Ref, revision: Option<i32>) -> AppResult<CoverageOut> {
    let course = courses::find(conn, ctx, which, Act::ReadCoverage)?;
    ctx.require(Act::ReadCoverage, &courses::relation(course.id))?;
    let outline = courses::outline_of(conn, &course, revision)?;
    let alignments: Vec<_> = outline.modules().flat_map(crate::domain::outline::Module::alignments).collect();
    let aims: Vec<Uuid> =
        store::targets::of_scopes(conn, &[course.id])?.into_iter().map(|target| target.competency_id).collect();
    let mut ids: Vec<Uuid> = alignments.iter().map(|a| a.competency).chain(aims.iter().copied()).collect();
    ids.sort_unstable();
    ids.dedup();
    let rows = if ids.is_empty() { Vec::new() } else { store::competencies::with_below(conn, &ids)? };
    let tree = rows.iter().map(CompetencyRow::node).collect::<AppResult<Tree>>()?;
    let all = coverage(&aims, &alignments, &tree);
    let rows: HashMap<Uuid, CompetencyRow> = rows.into_iter().map(|row| (row.id, row)).collect();
    let covered = all.iter().filter(|c| c.status() == CoverageStatus::Covered).count();
    let share = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    let percent = (!all.is_empty()).then(|| (share(covered) / share(all.len()) * 10_000.0).round() / 100.0);
    // A draft may name what does not exist; the linter says so, here it is left out.
    let items = all.into_iter().filter_map(|c| {
        let row = rows.get(&c.competency)?;
        Some(CoverageItem {
            competency_id: c.competency,
            key: row.key.clone(),
            title: row.title.clone(),
            status: c.status(),
            target: aims.contains(&c.competency),
            taught_by: c.taught_by.into_iter().collect(),
            assessed_by: c.assessed_by.into_iter().collect(),
        })
    });
    Ok(CoverageOut { course_id: course.id, revision, covered_percent: percent, items: items.collect() })
}
