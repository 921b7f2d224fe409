//! SQL about frameworks and their versions.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl,
    Selectable, SelectableHelper,
};
use uuid::Uuid;

use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::db::schema::{competencies, competency_targets, evidence, framework_versions as versions, frameworks};
use crate::db::types::{At, Id};
use crate::error::AppResult;

/// A row of `frameworks`.
#[derive(Debug, Clone, PartialEq, Eq, diesel::Queryable, Selectable)]
#[diesel(table_name = frameworks)]
pub struct FrameworkRow {
    pub id: Uuid,
    pub title: String,
    pub description: String,
    pub source: Option<String>,
    pub source_title: Option<String>,
    pub creator: Option<String>,
    pub source_version: Option<String>,
    pub edition: i32,
    pub competency_count: i32,
    pub version: i64,
    pub created_by: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A row of `framework_versions`.
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = versions)]
pub struct VersionRow {
    pub id: Uuid,
    pub framework_id: Uuid,
    pub number: i32,
    pub label: Option<String>,
    pub added: i32,
    pub changed: i32,
    pub retired: i32,
    pub made_by: Option<Uuid>,
    pub made_at: DateTime<Utc>,
}

pub fn find(conn: &mut Conn, id: Uuid) -> AppResult<Option<FrameworkRow>> {
    let row = frameworks::table.filter(frameworks::id.eq(Id(id))).select(FrameworkRow::as_select());
    Ok(row.get_result(conn).optional()?)
}

/// The id of the framework that came from this source under this title, else of one that came from there and is called so here.
pub fn of_source(conn: &mut Conn, source: &str, title: &str) -> AppResult<Option<Uuid>> {
    let rows: Vec<(Uuid, Option<String>)> = frameworks::table
        .filter(frameworks::source.eq(source))
        .filter(frameworks::source_title.eq(title).or(frameworks::title.eq(title).nullable()))
        .order(frameworks::id)
        .select((frameworks::id, frameworks::source_title))
        .load(conn)?;
    let found = rows.iter().find(|(_, there)| there.as_deref() == Some(title)).or(rows.first());
    Ok(found.map(|(id, _)| *id))
}

pub fn list(
    conn: &mut Conn,
    updated_since: Option<DateTime<Utc>>,
    page: &PageRequest,
) -> AppResult<Rows<FrameworkRow>> {
    let mut query =
        frameworks::table.select(FrameworkRow::as_select()).order(frameworks::id).limit(page.fetch()).into_boxed();
    if let Some(after) = page.after {
        query = query.filter(frameworks::id.gt(Id(after)));
    }
    if let Some(since) = updated_since {
        query = query.filter(frameworks::updated_at.ge(At(since)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.id))
}

pub fn insert(conn: &mut Conn, row: &FrameworkRow) -> diesel::QueryResult<()> {
    diesel::insert_into(frameworks::table)
        .values((
            frameworks::id.eq(Id(row.id)),
            frameworks::title.eq(&row.title),
            frameworks::description.eq(&row.description),
            frameworks::source.eq(row.source.as_deref()),
            frameworks::source_title.eq(row.source_title.as_deref()),
            frameworks::creator.eq(row.creator.as_deref()),
            frameworks::source_version.eq(row.source_version.as_deref()),
            frameworks::edition.eq(row.edition),
            frameworks::competency_count.eq(row.competency_count),
            frameworks::version.eq(row.version),
            frameworks::created_by.eq(row.created_by.map(Id)),
            frameworks::created_at.eq(At(row.created_at)),
            frameworks::updated_at.eq(At(row.updated_at)),
        ))
        .execute(conn)
        .map(drop)
}

/// Writes all changeable fields.
pub fn update(conn: &mut Conn, row: &FrameworkRow) -> diesel::QueryResult<()> {
    diesel::update(frameworks::table.filter(frameworks::id.eq(Id(row.id))))
        .set((
            frameworks::title.eq(&row.title),
            frameworks::description.eq(&row.description),
            frameworks::source.eq(row.source.as_deref()),
            frameworks::source_title.eq(row.source_title.as_deref()),
            frameworks::creator.eq(row.creator.as_deref()),
            frameworks::source_version.eq(row.source_version.as_deref()),
            frameworks::edition.eq(row.edition),
            frameworks::competency_count.eq(row.competency_count),
            frameworks::version.eq(row.version),
            frameworks::updated_at.eq(At(row.updated_at)),
        ))
        .execute(conn)
        .map(drop)
}

/// Whether anything refers to a competency of the framework.
pub fn in_use(conn: &mut Conn, id: Uuid) -> AppResult<bool> {
    use crate::db::schema::revision_competencies as alignments;
    let own = || competencies::table.filter(competencies::framework_id.eq(Id(id))).select(competencies::id);
    let proved = evidence::table.filter(evidence::competency_id.eq_any(own())).select(evidence::id);
    if proved.first::<Uuid>(conn).optional()?.is_some() {
        return Ok(true);
    }
    let due = competency_targets::table
        .filter(competency_targets::competency_id.eq_any(own()))
        .select(competency_targets::id);
    if due.first::<Uuid>(conn).optional()?.is_some() {
        return Ok(true);
    }
    let aligned = alignments::table.filter(alignments::competency_id.eq_any(own())).select(alignments::competency_id);
    Ok(aligned.first::<Uuid>(conn).optional()?.is_some())
}

pub fn delete(conn: &mut Conn, id: Uuid) -> AppResult<()> {
    // Children before parents would need an order; without their links they have none.
    diesel::update(competencies::table.filter(competencies::framework_id.eq(Id(id))))
        .set(competencies::parent_id.eq(None::<Id>))
        .execute(conn)?;
    diesel::delete(competencies::table.filter(competencies::framework_id.eq(Id(id)))).execute(conn)?;
    diesel::delete(frameworks::table.filter(frameworks::id.eq(Id(id)))).execute(conn)?;
    Ok(())
}

pub fn insert_version(conn: &mut Conn, row: &VersionRow) -> AppResult<()> {
    diesel::insert_into(versions::table)
        .values((
            versions::id.eq(Id(row.id)),
            versions::framework_id.eq(Id(row.framework_id)),
            versions::number.eq(row.number),
            versions::label.eq(row.label.as_deref()),
            versions::added.eq(row.added),
            versions::changed.eq(row.changed),
            versions::retired.eq(row.retired),
            versions::made_by.eq(row.made_by.map(Id)),
            versions::made_at.eq(At(row.made_at)),
        ))
        .execute(conn)?;
    Ok(())
}

pub fn list_versions(conn: &mut Conn, framework: Uuid, page: &PageRequest) -> AppResult<Rows<VersionRow>> {
    let mut query = versions::table
        .filter(versions::framework_id.eq(Id(framework)))
        .select(VersionRow::as_select())
        .order(versions::id)
        .limit(page.fetch())
        .into_boxed();
    if let Some(after) = page.after {
        query = query.filter(versions::id.gt(Id(after)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.id))
}
