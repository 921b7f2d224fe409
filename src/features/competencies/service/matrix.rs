//! The mastery of a class or group: a page of learners × competencies.

use std::collections::HashMap;

use uuid::Uuid;

use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::domain::mastery::matrix::Heat;
use crate::domain::mastery::{Level, level_of};
use crate::domain::permission::Act;
use crate::error::{AppError, AppResult, Code, Faults};
use crate::features::competencies::dto::{GroupMatrixQuery, MatrixColumn, MatrixOut, MatrixQuery, MatrixRow};
use crate::features::competencies::store::competencies::CompetencyRow;
use crate::features::competencies::store::matrix::{Among, Learner};
use crate::features::competencies::store::{self};
use crate::features::courses;
use crate::features::groups::{self, GroupRow};
use crate::http::Ref;
use crate::state::Ctx;

/// Columns of a matrix at most.
const MAX_COLUMNS: usize = 200;

/// A page of the learners of a course and its competencies.
///
/// # Errors
/// 403, 404; 422 for a group that does not exist or may not be seen, or a framework that does not exist.
pub fn page(conn: &mut Conn, ctx: &Ctx, which: &Ref, filter: &MatrixQuery, page: &PageRequest) -> AppResult<MatrixOut> {
    let course = courses::find(conn, ctx, which, Act::ReadMastery)?;
    ctx.require(Act::ReadMastery, &courses::relation(course.id))?;
    let mut faults = Faults::new();
    let mut named = None;
    if let Some(group) = filter.group_id {
        match groups::find(conn, &Ref::Id(group)) {
            Ok(group) => named = Some(among(&group)),
            Err(error) if error.code() == Code::NotFound => {
                faults.add("?group_id", "unknown_group", "There is no such group.");
            }
            Err(error) => return Err(error),
        }
    }
    check_framework(conn, filter.framework_id, &mut faults)?;
    faults.finish()?;
    let mut columns = store::competencies::of_courses(conn, &[course.id])?;
    columns.retain(|row| filter.framework_id.is_none_or(|framework| row.framework_id == framework));
    let learners = match named {
        None => store::matrix::learners(conn, course.id, page)?,
        Some(among) => store::matrix::members(conn, among, Some(course.id), page)?,
    };
    fill(conn, learners, columns)
}

/// A page of the people of a group and the competencies of the courses that are assigned to it, or of a framework.
///
/// # Errors
/// 403, 404; 422 for a framework that does not exist.
pub fn group_page(
    conn: &mut Conn,
    ctx: &Ctx,
    which: &Ref,
    filter: &GroupMatrixQuery,
    page: &PageRequest,
) -> AppResult<MatrixOut> {
    let group = groups::find_for(conn, ctx, which, Act::ReadMastery)?;
    let mut faults = Faults::new();
    check_framework(conn, filter.framework_id, &mut faults)?;
    faults.finish()?;
    let columns = match filter.framework_id {
        Some(framework) => store::competencies::in_use(conn, framework, MAX_COLUMNS)?,
        None => {
            let courses = store::matrix::courses_of(conn, group.id)?;
            store::competencies::of_courses(conn, &courses)?
        }
    };
    let learners = store::matrix::members(conn, among(&group), None, page)?;
    fill(conn, learners, columns)
}

fn check_framework(conn: &mut Conn, framework: Option<Uuid>, faults: &mut Faults) -> AppResult<()> {
    if let Some(id) = framework
        && store::frameworks::find(conn, id)?.is_none()
    {
        faults.add("?framework_id", "unknown_framework", "There is no such framework.");
    }
    Ok(())
}

/// Only units have others below them.
fn among(group: &GroupRow) -> Among {
    if group.kind == "unit" { Among::Unit(group.id) } else { Among::Group(group.id) }
}

/// Fills the cells.
fn fill(conn: &mut Conn, learners: Rows<Learner>, mut columns: Vec<CompetencyRow>) -> AppResult<MatrixOut> {
    columns.truncate(MAX_COLUMNS);
    let people: Vec<Uuid> = learners.items.iter().map(|learner| learner.0).collect();
    let shown: Vec<Uuid> = columns.iter().map(|row| row.id).collect();
    let at: HashMap<Uuid, usize> = shown.iter().enumerate().map(|(n, id)| (*id, n)).collect();
    let row_of: HashMap<Uuid, usize> = people.iter().enumerate().map(|(n, id)| (*id, n)).collect();
    let mut items: Vec<MatrixRow> = learners
        .items
        .into_iter()
        .map(|(user_id, given_name, family_name)| MatrixRow {
            user_id,
            given_name,
            family_name,
            mastery: vec![None; shown.len()],
            levels: vec![None; shown.len()],
        })
        .collect();
    let levels = columns.iter().map(|row| super::json(&row.levels)).collect::<AppResult<Vec<Vec<Level>>>>()?;
    for (user, competency, value) in store::matrix::cells(conn, &people, &shown)? {
        let (Some(row), Some(column)) = (row_of.get(&user).and_then(|n| items.get_mut(*n)), at.get(&competency)) else {
            continue;
        };
        if let Some(cell) = row.mastery.get_mut(*column) {
            *cell = value;
        }
        if let Some(cell) = row.levels.get_mut(*column) {
            // What a value reaches is known here, and a name less to read for each cell.
            *cell = levels.get(*column).and_then(|all| level_of(value, all)).map(|level| level.name.clone());
        }
    }
    let competencies = columns
        .into_iter()
        .map(|row| MatrixColumn {
            competency_id: row.id,
            key: row.key,
            title: row.title,
            mastered_at_least: row.mastered_at_least,
        })
        .collect();
    Ok(MatrixOut { competencies, items, next: learners.next })
}

/// The page as a table: a row for each learner, a column for each competency.
///
/// # Errors
/// When the table cannot be written.
pub fn csv(matrix: &MatrixOut) -> AppResult<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut header = vec!["user_id".to_owned(), "given_name".to_owned(), "family_name".to_owned()];
    header.extend(matrix.competencies.iter().map(|column| cell(&column.key)));
    writer.write_record(&header).map_err(AppError::internal)?;
    for row in &matrix.items {
        let mut record = vec![row.user_id.to_string(), cell(&row.given_name), cell(&row.family_name)];
        record.extend(row.mastery.iter().map(|value| value.map(|value| format!("{value:.4}")).unwrap_or_default()));
        writer.write_record(&record).map_err(AppError::internal)?;
    }
    writer.into_inner().map_err(AppError::internal)
}

/// A text that no spreadsheet takes for a formula.
fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

/// The page as a heat map.
#[must_use]
pub fn svg(matrix: &MatrixOut) -> String {
    Heat {
        columns: matrix.competencies.iter().map(|c| (c.title.clone(), c.mastered_at_least)).collect(),
        rows: matrix
            .items
            .iter()
            .map(|row| (format!("{} {}", row.given_name, row.family_name), row.mastery.clone()))
            .collect(),
    }
    .svg()
}
