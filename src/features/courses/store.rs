//! SQL about courses, revisions and their staff.

use chrono::{DateTime, Utc};
use diesel::{
    EscapeExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, Selectable, SelectableHelper,
    TextExpressionMethods,
};
use uuid::Uuid;

use super::dto::CourseQuery;
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::db::schema::{course_revisions as revisions, courses, role_grants};
use crate::db::types::{At, Id};
use crate::error::AppResult;
use crate::http::Ref;

/// A row of `courses`, without its draft.
#[expect(missing_docs, reason = "the columns of the table")]
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = courses)]
pub struct CourseRow {
    pub id: Uuid,
    pub external_id: Option<String>,
    pub title: String,
    pub summary: String,
    pub style: String,
    pub delivery_mode: String,
    pub language: String,
    pub enrollment_policy: String,
    pub access_code: Option<String>,
    pub seats: Option<i32>,
    pub issues_certificate: bool,
    pub certificate_valid_days: Option<i32>,
    pub status: String,
    pub latest_revision: i32,
    pub waitlist_counter: i64,
    pub version: i64,
    pub created_by: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub published_at: Option<DateTime<Utc>>,
    pub archived_at: Option<DateTime<Utc>>,
}

/// A row of `course_revisions`, without its outline.
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = revisions)]
pub struct RevisionRow {
    pub id: Uuid,
    pub course_id: Uuid,
    pub number: i32,
    pub style: String,
    pub module_count: i32,
    pub notes: Option<String>,
    pub published_by: Option<Uuid>,
    pub published_at: DateTime<Utc>,
}

pub fn find(conn: &mut Conn, which: &Ref) -> AppResult<Option<CourseRow>> {
    let mut query = courses::table.select(CourseRow::as_select()).into_boxed();
    query = match which {
        Ref::Id(id) => query.filter(courses::id.eq(Id(*id))),
        Ref::External(external) => query.filter(courses::external_id.eq(external)),
    };
    Ok(query.get_result(conn).optional()?)
}

pub fn find_many(conn: &mut Conn, ids: &[Uuid]) -> AppResult<Vec<CourseRow>> {
    Ok(courses::table
        .filter(courses::id.eq_any(ids.iter().map(|id| Id(*id))))
        .select(CourseRow::as_select())
        .load(conn)?)
}

/// Courses by id or external id, with both.
pub fn ids_of(conn: &mut Conn, ids: &[Uuid], externals: &[String]) -> AppResult<Vec<(Uuid, Option<String>)>> {
    use diesel::{BoolExpressionMethods, NullableExpressionMethods};
    Ok(courses::table
        .filter(
            courses::id
                .eq_any(ids.iter().map(|id| Id(*id)))
                .or(courses::external_id.eq_any(externals.to_vec()).assume_not_null()),
        )
        .select((courses::id, courses::external_id))
        .load(conn)?)
}

pub fn draft(conn: &mut Conn, id: Uuid) -> AppResult<String> {
    Ok(courses::table.filter(courses::id.eq(Id(id))).select(courses::draft).get_result(conn)?)
}

/// Escapes what `LIKE` gives a meaning to.
fn literal(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// A page of courses; for learners only published ones, and those whose staff they are.
pub fn list(
    conn: &mut Conn,
    filter: &CourseQuery,
    visible: Option<&[Uuid]>,
    page: &PageRequest,
) -> AppResult<Rows<CourseRow>> {
    use diesel::BoolExpressionMethods;
    let mut query = courses::table.select(CourseRow::as_select()).order(courses::id).limit(page.fetch()).into_boxed();
    if let Some(own) = visible {
        let own: Vec<Id> = own.iter().map(|id| Id(*id)).collect();
        query = query.filter(courses::status.eq("published").or(courses::id.eq_any(own)));
    }
    if let Some(after) = page.after {
        query = query.filter(courses::id.gt(Id(after)));
    }
    if let Some(status) = filter.status {
        query = query.filter(courses::status.eq(status.as_str()));
    }
    if let Some(style) = filter.style {
        query = query.filter(courses::style.eq(style.as_str()));
    }
    if let Some(mode) = filter.delivery_mode {
        query = query.filter(courses::delivery_mode.eq(mode.as_str()));
    }
    if let Some(language) = &filter.language {
        query = query.filter(courses::language.eq(language.clone()));
    }
    if let Some(title) = &filter.title {
        query = query.filter(courses::title_key.like(format!("%{}%", literal(&title.to_lowercase()))).escape('\\'));
    }
    if let Some(external) = &filter.external_id {
        query = query.filter(courses::external_id.eq(external.clone()));
    }
    if let Some(since) = filter.updated_since {
        query = query.filter(courses::updated_at.ge(At(since)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.id))
}

pub fn insert(conn: &mut Conn, row: &CourseRow, draft: &str) -> diesel::QueryResult<()> {
    diesel::insert_into(courses::table)
        .values((
            (
                courses::id.eq(Id(row.id)),
                courses::external_id.eq(row.external_id.as_deref()),
                courses::title.eq(&row.title),
                courses::title_key.eq(row.title.to_lowercase()),
                courses::summary.eq(&row.summary),
                courses::style.eq(&row.style),
                courses::delivery_mode.eq(&row.delivery_mode),
                courses::language.eq(&row.language),
                courses::enrollment_policy.eq(&row.enrollment_policy),
                courses::access_code.eq(row.access_code.as_deref()),
                courses::seats.eq(row.seats),
            ),
            (
                courses::issues_certificate.eq(row.issues_certificate),
                courses::certificate_valid_days.eq(row.certificate_valid_days),
                courses::status.eq(&row.status),
                courses::latest_revision.eq(row.latest_revision),
                courses::draft.eq(draft),
                courses::waitlist_counter.eq(row.waitlist_counter),
                courses::version.eq(row.version),
                courses::created_by.eq(row.created_by.map(Id)),
                courses::created_at.eq(At(row.created_at)),
                courses::updated_at.eq(At(row.updated_at)),
            ),
        ))
        .execute(conn)
        .map(drop)
}

/// Writes all changeable fields but the draft.
pub fn update(conn: &mut Conn, row: &CourseRow) -> diesel::QueryResult<()> {
    diesel::update(courses::table.filter(courses::id.eq(Id(row.id))))
        .set((
            (
                courses::external_id.eq(row.external_id.as_deref()),
                courses::title.eq(&row.title),
                courses::title_key.eq(row.title.to_lowercase()),
                courses::summary.eq(&row.summary),
                courses::style.eq(&row.style),
                courses::delivery_mode.eq(&row.delivery_mode),
                courses::language.eq(&row.language),
                courses::enrollment_policy.eq(&row.enrollment_policy),
                courses::access_code.eq(row.access_code.as_deref()),
                courses::seats.eq(row.seats),
            ),
            (
                courses::issues_certificate.eq(row.issues_certificate),
                courses::certificate_valid_days.eq(row.certificate_valid_days),
                courses::status.eq(&row.status),
                courses::latest_revision.eq(row.latest_revision),
                courses::version.eq(row.version),
                courses::updated_at.eq(At(row.updated_at)),
                courses::published_at.eq(row.published_at.map(At)),
                courses::archived_at.eq(row.archived_at.map(At)),
            ),
        ))
        .execute(conn)
        .map(drop)
}

pub fn set_draft(conn: &mut Conn, id: Uuid, draft: &str) -> AppResult<()> {
    diesel::update(courses::table.filter(courses::id.eq(Id(id)))).set(courses::draft.eq(draft)).execute(conn)?;
    Ok(())
}

pub fn insert_revision(conn: &mut Conn, row: &RevisionRow, outline: &str) -> AppResult<()> {
    diesel::insert_into(revisions::table)
        .values((
            revisions::id.eq(Id(row.id)),
            revisions::course_id.eq(Id(row.course_id)),
            revisions::number.eq(row.number),
            revisions::style.eq(&row.style),
            revisions::outline.eq(outline),
            revisions::module_count.eq(row.module_count),
            revisions::notes.eq(row.notes.as_deref()),
            revisions::published_by.eq(row.published_by.map(Id)),
            revisions::published_at.eq(At(row.published_at)),
        ))
        .execute(conn)?;
    Ok(())
}

pub fn list_revisions(conn: &mut Conn, course: Uuid, page: &PageRequest) -> AppResult<Rows<RevisionRow>> {
    let mut query = revisions::table
        .filter(revisions::course_id.eq(Id(course)))
        .select(RevisionRow::as_select())
        .order(revisions::id)
        .limit(page.fetch())
        .into_boxed();
    if let Some(after) = page.after {
        query = query.filter(revisions::id.gt(Id(after)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.id))
}

pub fn find_revision(conn: &mut Conn, course: Uuid, number: i32) -> AppResult<Option<(RevisionRow, String)>> {
    Ok(revisions::table
        .filter(revisions::course_id.eq(Id(course)))
        .filter(revisions::number.eq(number))
        .select((RevisionRow::as_select(), revisions::outline))
        .get_result(conn)
        .optional()?)
}

/// Style and outline of a revision.
pub fn revision_outline(conn: &mut Conn, id: Uuid) -> AppResult<(String, String)> {
    Ok(revisions::table
        .filter(revisions::id.eq(Id(id)))
        .select((revisions::style, revisions::outline))
        .get_result(conn)?)
}

/// Which of these courses exist.
pub fn existing(conn: &mut Conn, ids: &[Uuid]) -> AppResult<Vec<Uuid>> {
    Ok(courses::table.filter(courses::id.eq_any(ids.iter().map(|id| Id(*id)))).select(courses::id).load(conn)?)
}

/// Which of these groups exist.
pub fn existing_groups(conn: &mut Conn, ids: &[Uuid]) -> AppResult<Vec<Uuid>> {
    use crate::db::schema::groups;
    Ok(groups::table.filter(groups::id.eq_any(ids.iter().map(|id| Id(*id)))).select(groups::id).load(conn)?)
}

/// A grant in a course: id, user, role, since when.
pub type StaffRow = (Uuid, Uuid, String, DateTime<Utc>);

pub fn list_staff(conn: &mut Conn, course: Uuid, page: &PageRequest) -> AppResult<Rows<StaffRow>> {
    let mut query = role_grants::table
        .filter(role_grants::reach_id.eq(Id(course)))
        .filter(role_grants::reach.eq("course"))
        .select((role_grants::id, role_grants::user_id, role_grants::role, role_grants::created_at))
        .order(role_grants::id)
        .limit(page.fetch())
        .into_boxed();
    if let Some(after) = page.after {
        query = query.filter(role_grants::id.gt(Id(after)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.0))
}

pub fn remove_staff(conn: &mut Conn, course: Uuid, user: Uuid) -> AppResult<usize> {
    let these = role_grants::table
        .filter(role_grants::reach_id.eq(Id(course)))
        .filter(role_grants::reach.eq("course"))
        .filter(role_grants::user_id.eq(Id(user)));
    Ok(diesel::delete(these).execute(conn)?)
}

pub fn insert_staff(conn: &mut Conn, row: &StaffRow, course: Uuid) -> AppResult<()> {
    diesel::insert_into(role_grants::table)
        .values((
            role_grants::id.eq(Id(row.0)),
            role_grants::user_id.eq(Id(row.1)),
            role_grants::role.eq(&row.2),
            role_grants::reach.eq("course"),
            role_grants::reach_id.eq(Id(course)),
            role_grants::created_at.eq(At(row.3)),
        ))
        .execute(conn)?;
    Ok(())
}

/// Whether there is any course at all.
pub fn any(conn: &mut Conn) -> AppResult<bool> {
    Ok(courses::table.select(courses::id).first::<Uuid>(conn).optional()?.is_some())
}
