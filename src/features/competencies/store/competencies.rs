//! SQL about competencies and their tree.

use chrono::{DateTime, Utc};
use diesel::dsl::{exists, sql};
use diesel::expression::SqlLiteral;
use diesel::sql_types::Bool;
use diesel::upsert::excluded;
use diesel::{
    BoolExpressionMethods, EscapeExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods,
    OptionalExtension, QueryDsl, RunQueryDsl, Selectable, SelectableHelper, TextExpressionMethods,
};
use uuid::Uuid;

use super::ids;
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::db::schema::{
    competencies, competency_targets as targets, course_revisions as revisions, courses, enrollments, evidence,
    revision_competencies as alignments,
};
use crate::db::types::{At, Id};
use crate::error::AppResult;
use crate::per_backend;

/// A row of `competencies`.
#[derive(Debug, Clone, PartialEq, diesel::Queryable, Selectable)]
#[diesel(table_name = competencies)]
pub struct CompetencyRow {
    pub id: Uuid,
    pub framework_id: Uuid,
    pub parent_id: Option<Uuid>,
    pub key: String,
    pub title: String,
    pub title_key: String,
    pub description: Option<String>,
    pub code: Option<String>,
    pub kind: Option<String>,
    pub position: i32,
    pub method: String,
    pub params: String,
    pub levels: String,
    pub rollup: Option<String>,
    pub required: bool,
    pub points: f64,
    pub mastered_at_least: f64,
    pub retired_at: Option<DateTime<Utc>>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

pub fn find(conn: &mut Conn, id: Uuid) -> AppResult<Option<CompetencyRow>> {
    let row = competencies::table.filter(competencies::id.eq(Id(id))).select(CompetencyRow::as_select());
    Ok(row.get_result(conn).optional()?)
}

pub fn find_many(conn: &mut Conn, list: &[Uuid]) -> AppResult<Vec<CompetencyRow>> {
    let rows = competencies::table.filter(competencies::id.eq_any(ids(list))).select(CompetencyRow::as_select());
    Ok(rows.order(competencies::id).load(conn)?)
}

/// All of a framework, as they are shown.
pub fn of_framework(conn: &mut Conn, framework: Uuid) -> AppResult<Vec<CompetencyRow>> {
    let rows = competencies::table.filter(competencies::framework_id.eq(Id(framework)));
    Ok(rows.select(CompetencyRow::as_select()).order((competencies::position, competencies::id)).load(conn)?)
}

pub fn by_key(conn: &mut Conn, framework: Uuid, key: &str) -> AppResult<Option<Uuid>> {
    let row = competencies::table.filter(competencies::framework_id.eq(Id(framework)));
    Ok(row.filter(competencies::key.eq(key)).select(competencies::id).first(conn).optional()?)
}

/// What a list shows.
#[derive(Debug, Default)]
pub struct Filter<'a> {
    /// Of this framework.
    pub framework: Option<Uuid>,
    /// Directly below this one.
    pub parent: Option<Uuid>,
    /// Only those at the top.
    pub top: bool,
    /// Whose title contains this.
    pub q: Option<&'a str>,
    /// With this key.
    pub key: Option<&'a str>,
    /// Retired ones too.
    pub retired: bool,
    /// Changed since.
    pub updated_since: Option<DateTime<Utc>>,
}

/// Escapes what `LIKE` gives a meaning to.
fn literal(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

pub fn list(conn: &mut Conn, filter: &Filter<'_>, page: &PageRequest) -> AppResult<Rows<CompetencyRow>> {
    let mut query =
        competencies::table.select(CompetencyRow::as_select()).order(competencies::id).limit(page.fetch()).into_boxed();
    if let Some(after) = page.after {
        query = query.filter(competencies::id.gt(Id(after)));
    }
    if let Some(framework) = filter.framework {
        query = query.filter(competencies::framework_id.eq(Id(framework)));
    }
    if let Some(parent) = filter.parent {
        query = query.filter(competencies::parent_id.eq(Id(parent)));
    }
    if filter.top {
        query = query.filter(competencies::parent_id.is_null());
    }
    if let Some(text) = filter.q {
        let pattern = format!("%{}%", literal(&text.to_lowercase()));
        query = query.filter(competencies::title_key.like(pattern).escape('\\'));
    }
    if let Some(key) = filter.key {
        query = query.filter(competencies::key.eq(key.to_owned()));
    }
    if !filter.retired {
        query = query.filter(competencies::retired_at.is_null());
    }
    if let Some(since) = filter.updated_since {
        query = query.filter(competencies::updated_at.ge(At(since)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.id))
}

/// Writes competencies, those whose key is known anew; parents must stand before their children.
pub fn save_many(conn: &mut Conn, rows: &[CompetencyRow]) -> diesel::QueryResult<()> {
    for piece in rows.chunks(500) {
        let values: Vec<_> = piece
            .iter()
            .map(|row| {
                (
                    (
                        competencies::id.eq(Id(row.id)),
                        competencies::framework_id.eq(Id(row.framework_id)),
                        competencies::parent_id.eq(row.parent_id.map(Id)),
                        competencies::key.eq(&row.key),
                        competencies::title.eq(&row.title),
                        competencies::title_key.eq(&row.title_key),
                        competencies::description.eq(row.description.as_deref()),
                        competencies::code.eq(row.code.as_deref()),
                        competencies::kind.eq(row.kind.as_deref()),
                        competencies::position.eq(row.position),
                    ),
                    (
                        competencies::method.eq(&row.method),
                        competencies::params.eq(&row.params),
                        competencies::levels.eq(&row.levels),
                        competencies::rollup.eq(row.rollup.as_deref()),
                        competencies::required.eq(row.required),
                        competencies::points.eq(row.points),
                        competencies::mastered_at_least.eq(row.mastered_at_least),
                        competencies::retired_at.eq(row.retired_at.map(At)),
                        competencies::version.eq(row.version),
                        competencies::created_at.eq(At(row.created_at)),
                        competencies::updated_at.eq(At(row.updated_at)),
                    ),
                )
            })
            .collect();
        per_backend!(conn, |c| diesel::insert_into(competencies::table)
            .values(&values)
            .on_conflict((competencies::framework_id, competencies::key))
            .do_update()
            .set((
                competencies::parent_id.eq(excluded(competencies::parent_id)),
                competencies::title.eq(excluded(competencies::title)),
                competencies::title_key.eq(excluded(competencies::title_key)),
                competencies::description.eq(excluded(competencies::description)),
                competencies::code.eq(excluded(competencies::code)),
                competencies::kind.eq(excluded(competencies::kind)),
                competencies::position.eq(excluded(competencies::position)),
                competencies::method.eq(excluded(competencies::method)),
                competencies::params.eq(excluded(competencies::params)),
                competencies::levels.eq(excluded(competencies::levels)),
                competencies::rollup.eq(excluded(competencies::rollup)),
                competencies::required.eq(excluded(competencies::required)),
                competencies::points.eq(excluded(competencies::points)),
                competencies::mastered_at_least.eq(excluded(competencies::mastered_at_least)),
                competencies::retired_at.eq(excluded(competencies::retired_at)),
                competencies::version.eq(excluded(competencies::version)),
                competencies::updated_at.eq(excluded(competencies::updated_at)),
            ))
            .execute(c))?;
    }
    Ok(())
}

pub fn delete(conn: &mut Conn, id: Uuid) -> AppResult<()> {
    diesel::delete(competencies::table.filter(competencies::id.eq(Id(id)))).execute(conn)?;
    Ok(())
}

/// What keeps a competency from being deleted: evidence, targets, courses, children.
pub fn users_of(conn: &mut Conn, id: Uuid) -> AppResult<Vec<&'static str>> {
    let mut found = Vec::new();
    let first = evidence::table.filter(evidence::competency_id.eq(Id(id))).select(evidence::id);
    found.extend(first.first::<Uuid>(conn).optional()?.map(|_| "evidence"));
    let first = targets::table.filter(targets::competency_id.eq(Id(id))).select(targets::id);
    found.extend(first.first::<Uuid>(conn).optional()?.map(|_| "targets and goals"));
    let first = alignments::table.filter(alignments::competency_id.eq(Id(id))).select(alignments::revision_id);
    found.extend(first.first::<Uuid>(conn).optional()?.map(|_| "published courses"));
    let first = competencies::table.filter(competencies::parent_id.eq(Id(id))).select(competencies::id);
    found.extend(first.first::<Uuid>(conn).optional()?.map(|_| "competencies below it"));
    Ok(found)
}

/// Those of a framework that are not retired, in the order in which they are shown.
pub fn in_use(conn: &mut Conn, framework: Uuid, most: usize) -> AppResult<Vec<CompetencyRow>> {
    Ok(competencies::table
        .filter(competencies::framework_id.eq(Id(framework)))
        .filter(competencies::retired_at.is_null())
        .order((competencies::position, competencies::id))
        .limit(i64::try_from(most).unwrap_or(i64::MAX))
        .select(CompetencyRow::as_select())
        .load(conn)?)
}

/// What courses are about: what their targets name, and what their newest revisions teach, assess and ask about.
pub fn of_courses(conn: &mut Conn, of: &[Uuid]) -> AppResult<Vec<CompetencyRow>> {
    if of.is_empty() {
        return Ok(Vec::new());
    }
    // One list of ids, of both: two conditions joined by OR are asked of every competency of the site. Ids are written out: a list of
    // any length cannot be bound within a fragment.
    let of: Vec<String> = of.iter().map(|id| format!("'{}'", id.hyphenated())).collect();
    let of = of.join(", ");
    let about = sql::<Bool>(&format!(
        "competencies.id IN (SELECT competency_id FROM competency_targets WHERE scope_id IN ({of}) \
         UNION SELECT a.competency_id FROM revision_competencies a JOIN course_revisions r ON r.id = a.revision_id \
         JOIN courses c ON c.id = r.course_id AND c.latest_revision = r.number WHERE c.id IN ({of}))"
    ));
    Ok(competencies::table
        .filter(about)
        .order(competencies::id)
        .limit(1000)
        .select(CompetencyRow::as_select())
        .load(conn)?)
}

/// Whether a course is about a competency, as [`of_courses`] has it.
pub fn is_of_course(conn: &mut Conn, course: Uuid, competency: Uuid) -> AppResult<bool> {
    let aims =
        targets::table.filter(targets::scope_id.eq(Id(course))).filter(targets::competency_id.eq(Id(competency)));
    let named = alignments::table
        .inner_join(revisions::table.on(revisions::id.eq(alignments::revision_id)))
        .inner_join(courses::table.on(courses::id.eq(revisions::course_id)))
        .filter(courses::id.eq(Id(course)))
        .filter(alignments::competency_id.eq(Id(competency)))
        .filter(revisions::number.eq(courses::latest_revision));
    Ok(diesel::select(exists(aims).or(exists(named))).get_result(conn)?)
}

/// What stands somewhere above these, as SQL.
pub(super) fn climbing(list: &[Uuid]) -> SqlLiteral<Bool> {
    // Ids are written out: a list of any length cannot be bound within a fragment.
    let list: Vec<String> = list.iter().map(|id| format!("'{}'", id.hyphenated())).collect();
    sql::<Bool>(&format!(
        "competencies.id IN (WITH RECURSIVE up (id) AS (SELECT parent_id FROM competencies WHERE id IN ({}) \
         UNION SELECT c.parent_id FROM competencies c JOIN up ON c.id = up.id) SELECT id FROM up WHERE id IS NOT NULL)",
        list.join(", ")
    ))
}

/// Ids of all that stand somewhere above these.
pub fn above(conn: &mut Conn, list: &[Uuid]) -> AppResult<Vec<Uuid>> {
    Ok(competencies::table.filter(climbing(list)).select(competencies::id).load(conn)?)
}

/// What this column names is one of these, or one from which those of them that roll up do so.
pub(super) fn descending(column: &str, list: &[Uuid]) -> SqlLiteral<Bool> {
    // Ids are written out: a list of any length cannot be bound within a fragment.
    let list: Vec<String> = list.iter().map(|id| format!("'{}'", id.hyphenated())).collect();
    // Of none, no list can be written.
    let these = if list.is_empty() { "NULL".to_owned() } else { list.join(", ") };
    sql::<Bool>(&format!(
        "{column} IN (WITH RECURSIVE down (id, rollup) AS (SELECT id, rollup FROM competencies WHERE id IN ({these}) \
         UNION SELECT c.id, c.rollup FROM competencies c JOIN down ON c.parent_id = down.id \
         WHERE down.rollup IS NOT NULL AND c.retired_at IS NULL) SELECT id FROM down)"
    ))
}

/// These, with all from which those of them that roll up do so.
pub fn with_below(conn: &mut Conn, list: &[Uuid]) -> AppResult<Vec<CompetencyRow>> {
    let rows = competencies::table.filter(descending("competencies.id", list)).select(CompetencyRow::as_select());
    Ok(rows.order(competencies::id).load(conn)?)
}

/// Where a competency stands in its tree: id, parent, roll-up, whether it is retired, whether it is required, its points, its threshold.
pub type NodeRow = (Uuid, Option<Uuid>, Option<String>, bool, bool, f64, f64);

/// The same, of each only where it stands.
pub fn nodes_below(conn: &mut Conn, list: &[Uuid]) -> AppResult<Vec<NodeRow>> {
    let rows = competencies::table.filter(descending("competencies.id", list)).select((
        competencies::id,
        competencies::parent_id,
        competencies::rollup,
        competencies::retired_at.is_not_null(),
        competencies::required,
        competencies::points,
        competencies::mastered_at_least,
    ));
    Ok(rows.order(competencies::id).load(conn)?)
}

/// Raises what is required by the name of a level to the level's new threshold.
pub fn follow_level(conn: &mut Conn, id: Uuid, level: &str, at_least: f64) -> AppResult<()> {
    let these = targets::table.filter(targets::competency_id.eq(Id(id))).filter(targets::level.eq(level));
    diesel::update(these).set(targets::at_least.eq(at_least)).execute(conn)?;
    Ok(())
}

/// Revisions whose conditions ask about a competency and that are of use: the newest of its course, or somebody learns by it. Course,
/// number, outline.
pub fn revisions_asking(conn: &mut Conn, id: Uuid) -> AppResult<Vec<(Uuid, i32, String)>> {
    let learning = enrollments::table
        .filter(enrollments::revision_id.eq(revisions::id.nullable()))
        .filter(enrollments::status.eq_any(["active", "pending", "waitlisted"]));
    Ok(alignments::table
        .inner_join(revisions::table.on(revisions::id.eq(alignments::revision_id)))
        .inner_join(courses::table.on(courses::id.eq(revisions::course_id)))
        .filter(alignments::competency_id.eq(Id(id)))
        .filter(alignments::touch.eq("asks"))
        .filter(revisions::number.eq(courses::latest_revision).or(exists(learning)))
        .order((revisions::course_id, revisions::number))
        .select((revisions::course_id, revisions::number, revisions::outline))
        .load(conn)?)
}

/// Where a published revision touches a competency: competency, touch, weight.
pub type AlignmentRow = (Uuid, &'static str, f64);

pub fn insert_alignments(conn: &mut Conn, course: Uuid, revision: Uuid, rows: &[AlignmentRow]) -> AppResult<()> {
    for piece in rows.chunks(500) {
        let values: Vec<_> = piece
            .iter()
            .map(|(competency, touch, weight)| {
                (
                    alignments::competency_id.eq(Id(*competency)),
                    alignments::revision_id.eq(Id(revision)),
                    alignments::touch.eq(*touch),
                    alignments::course_id.eq(Id(course)),
                    alignments::weight.eq(*weight),
                )
            })
            .collect();
        per_backend!(conn, |c| diesel::insert_into(alignments::table).values(&values).execute(c))?;
    }
    Ok(())
}
