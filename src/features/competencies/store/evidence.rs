//! SQL about evidence and mastery.

use chrono::{DateTime, Utc};
use diesel::dsl::{auto_type, exists, sql};
use diesel::expression::SqlLiteral;
use diesel::sql_types::Bool;
use diesel::upsert::excluded;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension, QueryDsl,
    RunQueryDsl, Selectable, SelectableHelper,
};
use uuid::Uuid;

use super::competencies::{CompetencyRow, climbing, descending};
use super::ids;
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::db::schema::{
    behind_marks as marks, competencies, competency_targets as targets, enrollments, evidence, goal_learners, mastery,
    users,
};
use crate::db::types::{At, Id};
use crate::error::AppResult;
use crate::per_backend;

/// A row of `evidence`.
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = evidence)]
pub struct EvidenceRow {
    pub id: Uuid,
    pub user_id: Uuid,
    pub competency_id: Uuid,
    pub score: f64,
    pub weight: f64,
    pub at: DateTime<Utc>,
    pub source_kind: String,
    pub source_id: Uuid,
    pub course_id: Option<Uuid>,
    pub enrollment_id: Option<Uuid>,
    pub module_key: Option<String>,
    pub note: Option<String>,
    pub made_by: Option<Uuid>,
    pub recorded_at: DateTime<Utc>,
}

/// Writes evidence; what the same work said before is replaced.
pub fn save(conn: &mut Conn, rows: &[EvidenceRow]) -> AppResult<()> {
    let values: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                evidence::id.eq(Id(row.id)),
                evidence::user_id.eq(Id(row.user_id)),
                evidence::competency_id.eq(Id(row.competency_id)),
                evidence::score.eq(row.score),
                evidence::weight.eq(row.weight),
                evidence::at.eq(At(row.at)),
                evidence::source_kind.eq(&row.source_kind),
                evidence::source_id.eq(Id(row.source_id)),
                evidence::course_id.eq(row.course_id.map(Id)),
                evidence::enrollment_id.eq(row.enrollment_id.map(Id)),
                evidence::module_key.eq(row.module_key.as_deref()),
                evidence::note.eq(row.note.as_deref()),
                evidence::made_by.eq(row.made_by.map(Id)),
                evidence::recorded_at.eq(At(row.recorded_at)),
            )
        })
        .collect();
    for piece in values.chunks(500) {
        per_backend!(conn, |c| diesel::insert_into(evidence::table)
            .values(piece)
            .on_conflict((evidence::source_id, evidence::module_key, evidence::competency_id))
            .do_update()
            .set((
                evidence::score.eq(excluded(evidence::score)),
                evidence::weight.eq(excluded(evidence::weight)),
                evidence::at.eq(excluded(evidence::at)),
            ))
            .execute(c))?;
    }
    Ok(())
}

/// What a piece of evidence says, in short: id, competency, score, weight, when the work was submitted.
pub type Short = (Uuid, Uuid, f64, f64, DateTime<Utc>);

/// All evidence of a person about these competencies.
pub fn of(conn: &mut Conn, user: Uuid, list: &[Uuid]) -> AppResult<Vec<Short>> {
    Ok(evidence::table
        .filter(evidence::user_id.eq(Id(user)))
        .filter(evidence::competency_id.eq_any(ids(list)))
        .select((evidence::id, evidence::competency_id, evidence::score, evidence::weight, evidence::at))
        .load(conn)?)
}

/// The same, of what was written down until an instant.
pub fn of_until(conn: &mut Conn, user: Uuid, list: &[Uuid], until: DateTime<Utc>) -> AppResult<Vec<Short>> {
    Ok(evidence::table
        .filter(evidence::user_id.eq(Id(user)))
        .filter(evidence::competency_id.eq_any(ids(list)))
        .filter(evidence::recorded_at.le(At(until)))
        .select((evidence::id, evidence::competency_id, evidence::score, evidence::weight, evidence::at))
        .load(conn)?)
}

/// Which competencies a piece of work speaks of.
pub fn competencies_of_source(conn: &mut Conn, source: Uuid, module: &str) -> AppResult<Vec<Uuid>> {
    let rows = evidence::table.filter(evidence::source_id.eq(Id(source))).filter(evidence::module_key.eq(module));
    Ok(rows.select(evidence::competency_id).load(conn)?)
}

pub fn delete_source(conn: &mut Conn, source: Uuid, module: &str) -> AppResult<()> {
    let rows = evidence::table.filter(evidence::source_id.eq(Id(source))).filter(evidence::module_key.eq(module));
    diesel::delete(rows).execute(conn)?;
    Ok(())
}

pub fn find(conn: &mut Conn, id: Uuid) -> AppResult<Option<EvidenceRow>> {
    let row = evidence::table.filter(evidence::id.eq(Id(id))).select(EvidenceRow::as_select());
    Ok(row.get_result(conn).optional()?)
}

pub fn delete(conn: &mut Conn, id: Uuid) -> AppResult<()> {
    diesel::delete(evidence::table.filter(evidence::id.eq(Id(id)))).execute(conn)?;
    Ok(())
}

pub fn list(
    conn: &mut Conn,
    user: Uuid,
    competency: Option<Uuid>,
    course: Option<Uuid>,
    page: &PageRequest,
) -> AppResult<Rows<EvidenceRow>> {
    let mut query = evidence::table
        .filter(evidence::user_id.eq(Id(user)))
        .select(EvidenceRow::as_select())
        .order(evidence::id)
        .limit(page.fetch())
        .into_boxed();
    if let Some(competency) = competency {
        query = query.filter(evidence::competency_id.eq(Id(competency)));
    }
    if let Some(course) = course {
        query = query.filter(evidence::course_id.eq(Id(course)));
    }
    if let Some(after) = page.after {
        query = query.filter(evidence::id.gt(Id(after)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.id))
}

/// The newest evidence of a person about one competency, by submission; only that of one course when one is named.
pub fn newest(
    conn: &mut Conn,
    user: Uuid,
    competency: Uuid,
    course: Option<Uuid>,
    limit: i64,
) -> AppResult<Vec<EvidenceRow>> {
    let mut query = evidence::table
        .filter(evidence::user_id.eq(Id(user)))
        .filter(evidence::competency_id.eq(Id(competency)))
        .order((evidence::at.desc(), evidence::id.desc()))
        .limit(limit)
        .select(EvidenceRow::as_select())
        .into_boxed();
    if let Some(course) = course {
        query = query.filter(evidence::course_id.eq(Id(course)));
    }
    Ok(query.load(conn)?)
}

/// A row of `mastery`.
#[derive(Debug, Clone, PartialEq, diesel::Queryable, Selectable)]
#[diesel(table_name = mastery)]
pub struct MasteryRow {
    pub user_id: Uuid,
    pub competency_id: Uuid,
    pub value: Option<f64>,
    pub level: Option<String>,
    pub evidence_count: i32,
    pub mastered_at: Option<DateTime<Utc>>,
    pub updated_at: DateTime<Utc>,
}

/// These competencies with how far a person has come in each.
pub fn with_mastery(conn: &mut Conn, user: Uuid, list: &[Uuid]) -> AppResult<Vec<(CompetencyRow, Option<MasteryRow>)>> {
    let own = mastery::competency_id.eq(competencies::id).and(mastery::user_id.eq(Id(user)));
    Ok(competencies::table
        .left_join(mastery::table.on(own))
        .filter(competencies::id.eq_any(ids(list)))
        .select((CompetencyRow::as_select(), Option::<MasteryRow>::as_select()))
        .load(conn)?)
}

/// The same with all from which those of them that roll up do so.
pub fn with_mastery_below(
    conn: &mut Conn,
    user: Uuid,
    list: &[Uuid],
) -> AppResult<Vec<(CompetencyRow, Option<MasteryRow>)>> {
    let own = mastery::competency_id.eq(competencies::id).and(mastery::user_id.eq(Id(user)));
    Ok(competencies::table
        .left_join(mastery::table.on(own))
        .filter(descending("competencies.id", list))
        .order(competencies::id)
        .select((CompetencyRow::as_select(), Option::<MasteryRow>::as_select()))
        .load(conn)?)
}

/// What these people master of what these competencies roll up from: person, competency, mastery.
pub fn mastery_below(conn: &mut Conn, of: &[Uuid], list: &[Uuid]) -> AppResult<Vec<(Uuid, Uuid, f64)>> {
    Ok(mastery::table
        .filter(mastery::user_id.eq_any(ids(of)))
        .filter(mastery::value.is_not_null())
        .filter(descending("mastery.competency_id", list))
        .select((mastery::user_id, mastery::competency_id, mastery::value.assume_not_null()))
        .load(conn)?)
}

/// A competency with how far a person has come in it, and whether they were told that they are behind and have not caught up.
pub type Reckonable = (CompetencyRow, Option<MasteryRow>, bool);

/// Whether somebody is marked as behind on the competency of the row.
#[auto_type]
fn is_marked(user: Id) -> _ {
    exists(
        marks::table
            .inner_join(targets::table.on(targets::id.eq(marks::target_id)))
            .filter(marks::user_id.eq(user))
            .filter(targets::competency_id.eq(competencies::id)),
    )
}

/// These competencies, to reckon them.
pub fn to_reckon(conn: &mut Conn, user: Uuid, list: &[Uuid]) -> AppResult<Vec<Reckonable>> {
    let own = mastery::competency_id.eq(competencies::id).and(mastery::user_id.eq(Id(user)));
    Ok(competencies::table
        .left_join(mastery::table.on(own))
        .filter(competencies::id.eq_any(ids(list)))
        .select((CompetencyRow::as_select(), Option::<MasteryRow>::as_select(), is_marked(Id(user))))
        .load(conn)?)
}

/// All that stand somewhere above these, to reckon them.
pub fn above_to_reckon(conn: &mut Conn, user: Uuid, list: &[Uuid]) -> AppResult<Vec<Reckonable>> {
    let own = mastery::competency_id.eq(competencies::id).and(mastery::user_id.eq(Id(user)));
    Ok(competencies::table
        .left_join(mastery::table.on(own))
        .filter(climbing(list))
        .select((CompetencyRow::as_select(), Option::<MasteryRow>::as_select(), is_marked(Id(user))))
        .load(conn)?)
}

/// Those directly below these, with how far a person has come in each.
pub fn children_with_mastery(
    conn: &mut Conn,
    user: Uuid,
    parents: &[Uuid],
) -> AppResult<Vec<(CompetencyRow, Option<MasteryRow>)>> {
    let own = mastery::competency_id.eq(competencies::id).and(mastery::user_id.eq(Id(user)));
    Ok(competencies::table
        .left_join(mastery::table.on(own))
        .filter(competencies::parent_id.eq_any(ids(parents)))
        .filter(competencies::retired_at.is_null())
        .order((competencies::position, competencies::id))
        .select((CompetencyRow::as_select(), Option::<MasteryRow>::as_select()))
        .load(conn)?)
}

pub fn save_mastery(conn: &mut Conn, rows: &[MasteryRow]) -> AppResult<()> {
    for piece in rows.chunks(500) {
        let values: Vec<_> = piece
            .iter()
            .map(|row| {
                (
                    mastery::user_id.eq(Id(row.user_id)),
                    mastery::competency_id.eq(Id(row.competency_id)),
                    mastery::value.eq(row.value),
                    mastery::level.eq(row.level.as_deref()),
                    mastery::evidence_count.eq(row.evidence_count),
                    mastery::mastered_at.eq(row.mastered_at.map(At)),
                    mastery::updated_at.eq(At(row.updated_at)),
                )
            })
            .collect();
        per_backend!(conn, |c| diesel::insert_into(mastery::table)
            .values(&values)
            .on_conflict((mastery::user_id, mastery::competency_id))
            .do_update()
            .set((
                mastery::value.eq(excluded(mastery::value)),
                mastery::level.eq(excluded(mastery::level)),
                mastery::evidence_count.eq(excluded(mastery::evidence_count)),
                mastery::mastered_at.eq(excluded(mastery::mastered_at)),
                mastery::updated_at.eq(excluded(mastery::updated_at)),
            ))
            .execute(c))?;
    }
    Ok(())
}

/// A page of a person's mastery, with the competencies; not of those whose evidence is all taken back.
pub fn list_mastery(
    conn: &mut Conn,
    user: Uuid,
    framework: Option<Uuid>,
    among: Option<&[Uuid]>,
    page: &PageRequest,
) -> AppResult<Rows<(MasteryRow, CompetencyRow)>> {
    let mut query = mastery::table
        .inner_join(competencies::table.on(competencies::id.eq(mastery::competency_id)))
        .filter(mastery::user_id.eq(Id(user)))
        .filter(mastery::value.is_not_null().or(mastery::evidence_count.gt(0)))
        .select((MasteryRow::as_select(), CompetencyRow::as_select()))
        .order(mastery::competency_id)
        .limit(page.fetch())
        .into_boxed();
    if let Some(framework) = framework {
        query = query.filter(competencies::framework_id.eq(Id(framework)));
    }
    if let Some(among) = among {
        query = query.filter(mastery::competency_id.eq_any(ids(among)));
    }
    if let Some(after) = page.after {
        query = query.filter(mastery::competency_id.gt(Id(after)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |(row, _)| row.competency_id))
}

/// Competencies that are named one by one in a statement; beyond, their whole framework is.
const NAMED: usize = 1000;

/// Mastery of one of these competencies of one framework, or of what is directly below those of them that roll up; of more than a
/// statement can name, of any in their framework.
fn about(list: &[Uuid]) -> SqlLiteral<Bool> {
    let ids = |list: &[Uuid]| list.iter().map(|id| format!("'{}'", id.hyphenated())).collect::<Vec<_>>().join(", ");
    let chosen = if list.len() > NAMED {
        let one = ids(list.get(..1).unwrap_or_default());
        format!(
            "SELECT id FROM competencies WHERE framework_id IN (SELECT framework_id FROM competencies WHERE id IN ({one}))"
        )
    } else {
        let these = if list.is_empty() { "NULL".to_owned() } else { ids(list) };
        format!(
            "SELECT id FROM competencies WHERE id IN ({these}) UNION SELECT c.id FROM competencies c JOIN competencies p ON p.id = c.parent_id \
             WHERE p.id IN ({these}) AND p.rollup IS NOT NULL AND c.retired_at IS NULL"
        )
    };
    sql::<Bool>(&format!("mastery.competency_id IN ({chosen})"))
}

/// People whose mastery of these competencies may change with them, in order: also those of whom only what is below is known.
pub fn people_about(conn: &mut Conn, list: &[Uuid], after: Option<Uuid>, limit: i64) -> AppResult<Vec<Uuid>> {
    let mut query = mastery::table
        .filter(about(list))
        .select(mastery::user_id)
        .distinct()
        .order(mastery::user_id)
        .limit(limit)
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(mastery::user_id.gt(Id(after)));
    }
    Ok(query.load(conn)?)
}

/// Of which competencies these people's mastery is written down: person, competency, the one above it.
pub fn places(conn: &mut Conn, people: &[Uuid]) -> AppResult<Vec<(Uuid, Uuid, Option<Uuid>)>> {
    Ok(mastery::table
        .inner_join(competencies::table.on(competencies::id.eq(mastery::competency_id)))
        .filter(mastery::user_id.eq_any(ids(people)))
        .select((mastery::user_id, competencies::id, competencies::parent_id))
        .load(conn)?)
}

/// What conditions ask of a user and a competency: user, competency, levels, whether it rolls up, mastery.
pub type Fact = (Uuid, Uuid, String, bool, Option<f64>);

/// One row for each of these users and each of these competencies that exists.
pub fn facts(conn: &mut Conn, of: &[Uuid], list: &[Uuid]) -> AppResult<Vec<Fact>> {
    let own = mastery::competency_id.eq(competencies::id).and(mastery::user_id.eq(users::id));
    Ok(users::table
        .inner_join(competencies::table.on(competencies::id.eq_any(ids(list))))
        .left_join(mastery::table.on(own))
        .filter(users::id.eq_any(ids(of)))
        .select((
            users::id,
            competencies::id,
            competencies::levels,
            competencies::rollup.is_not_null(),
            mastery::value.nullable(),
        ))
        .load(conn)?)
}

/// A due date as it is stored: required mastery, instant or days, and what days count from: enrollment, assignment of a goal.
pub type DueColumns = (Option<f64>, Option<DateTime<Utc>>, Option<i32>, Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// [`facts`] with every due date of each person, in one statement: a row for each.
pub fn facts_with_dues(conn: &mut Conn, of: &[Uuid], list: &[Uuid]) -> AppResult<Vec<(Fact, DueColumns)>> {
    let own = mastery::competency_id.eq(competencies::id).and(mastery::user_id.eq(users::id));
    let enrolled = enrollments::course_id
        .nullable()
        .eq(targets::scope_id.nullable())
        .and(enrollments::user_id.nullable().eq(users::id.nullable()))
        .and(enrollments::status.nullable().eq("active"));
    let assigned = goal_learners::goal_id
        .nullable()
        .eq(targets::scope_id.nullable())
        .and(goal_learners::user_id.nullable().eq(users::id.nullable()));
    Ok(users::table
        .inner_join(competencies::table.on(competencies::id.eq_any(ids(list))))
        .left_join(mastery::table.on(own))
        .left_join(targets::table.on(targets::competency_id.eq(competencies::id)))
        .left_join(enrollments::table.on(enrolled))
        .left_join(goal_learners::table.on(assigned))
        .filter(users::id.eq_any(ids(of)))
        .select((
            (
                users::id,
                competencies::id,
                competencies::levels,
                competencies::rollup.is_not_null(),
                mastery::value.nullable(),
            ),
            (
                targets::at_least.nullable(),
                targets::due_at.nullable(),
                targets::due_days.nullable(),
                enrollments::enrolled_at.nullable(),
                goal_learners::assigned_at.nullable(),
            ),
        ))
        .load(conn)?)
}
