//! SQL about certificates.

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, Selectable, SelectableHelper};
use uuid::Uuid;

use super::dto::CertificateQuery;
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::db::schema::certificates;
use crate::db::tree;
use crate::db::types::{At, Id};
use crate::db::units::people_of;
use crate::error::AppResult;
use crate::http::Ref;
use crate::per_backend;

/// A row of `certificates`.
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = certificates)]
pub struct CertificateRow {
    pub id: Uuid,
    pub serial: String,
    pub enrollment_id: Uuid,
    pub user_id: Uuid,
    pub course_id: Uuid,
    pub holder: String,
    pub title: String,
    pub issued_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub revoke_reason: Option<String>,
    pub version: i64,
}

/// Writes certificates; answers how many, since an enrollment may have one already.
pub fn insert_many(conn: &mut Conn, rows: &[CertificateRow]) -> AppResult<usize> {
    let mut made: usize = 0;
    for piece in rows.chunks(500) {
        let values: Vec<_> = piece
            .iter()
            .map(|row| {
                (
                    certificates::id.eq(Id(row.id)),
                    certificates::serial.eq(&row.serial),
                    certificates::enrollment_id.eq(Id(row.enrollment_id)),
                    certificates::user_id.eq(Id(row.user_id)),
                    certificates::course_id.eq(Id(row.course_id)),
                    certificates::holder.eq(&row.holder),
                    certificates::title.eq(&row.title),
                    certificates::issued_at.eq(At(row.issued_at)),
                    certificates::expires_at.eq(row.expires_at.map(At)),
                    certificates::version.eq(row.version),
                )
            })
            .collect();
        made = made.saturating_add(per_backend!(conn, |c| diesel::insert_into(certificates::table)
            .values(&values)
            .on_conflict(certificates::enrollment_id)
            .do_nothing()
            .execute(c))?);
    }
    Ok(made)
}

/// Those certificates of these enrollments that were not revoked.
pub fn valid_of(conn: &mut Conn, of: &[Uuid]) -> AppResult<Vec<CertificateRow>> {
    Ok(certificates::table
        .filter(certificates::enrollment_id.eq_any(of.iter().map(|id| Id(*id))))
        .filter(certificates::revoked_at.is_null())
        .order(certificates::id)
        .select(CertificateRow::as_select())
        .load(conn)?)
}

/// The certificate of this enrollment, unless it was revoked.
pub fn valid_id_of(conn: &mut Conn, enrollment: Uuid) -> AppResult<Option<Uuid>> {
    Ok(certificates::table
        .filter(certificates::enrollment_id.eq(Id(enrollment)))
        .filter(certificates::revoked_at.is_null())
        .select(certificates::id)
        .get_result(conn)
        .optional()?)
}

/// Revokes these for one reason.
pub fn revoke_many(conn: &mut Conn, list: &[Uuid], reason: &str, now: DateTime<Utc>) -> AppResult<()> {
    diesel::update(certificates::table.filter(certificates::id.eq_any(list.iter().map(|id| Id(*id)))))
        .set((
            certificates::revoked_at.eq(At(now)),
            certificates::revoke_reason.eq(reason),
            certificates::version.eq(certificates::version + 1),
        ))
        .execute(conn)?;
    Ok(())
}

/// Makes those certificates of these enrollments good again that were revoked; answers all of theirs.
pub fn reinstate(conn: &mut Conn, of: &[Uuid]) -> AppResult<Vec<CertificateRow>> {
    let these = || certificates::table.filter(certificates::enrollment_id.eq_any(of.iter().map(|id| Id(*id))));
    diesel::update(these().filter(certificates::revoked_at.is_not_null()))
        .set((
            certificates::revoked_at.eq(None::<At>),
            certificates::revoke_reason.eq(None::<String>),
            certificates::version.eq(certificates::version + 1),
        ))
        .execute(conn)?;
    Ok(these().select(CertificateRow::as_select()).load(conn)?)
}

pub fn revoke(conn: &mut Conn, row: &CertificateRow) -> AppResult<()> {
    diesel::update(certificates::table.filter(certificates::id.eq(Id(row.id))))
        .set((
            certificates::revoked_at.eq(row.revoked_at.map(At)),
            certificates::revoke_reason.eq(row.revoke_reason.as_deref()),
            certificates::version.eq(row.version),
        ))
        .execute(conn)?;
    Ok(())
}

pub fn find(conn: &mut Conn, id: Uuid) -> AppResult<Option<CertificateRow>> {
    Ok(certificates::table
        .filter(certificates::id.eq(Id(id)))
        .select(CertificateRow::as_select())
        .get_result(conn)
        .optional()?)
}

pub fn find_by_serial(conn: &mut Conn, serial: &str) -> AppResult<Option<CertificateRow>> {
    Ok(certificates::table
        .filter(certificates::serial.eq(serial))
        .select(CertificateRow::as_select())
        .get_result(conn)
        .optional()?)
}

/// Whose certificates a list shows.
pub enum Sight {
    /// Everybody's.
    All,
    /// One's own, those of courses that one teaches, of the people of one's units, and of everybody below.
    Own {
        /// The caller.
        user: Uuid,
        /// Courses that the caller teaches.
        courses: Vec<Uuid>,
        /// Units whose people the caller looks after.
        units: Vec<Uuid>,
    },
}

pub fn list(
    conn: &mut Conn,
    filter: &CertificateQuery,
    sight: &Sight,
    page: &PageRequest,
) -> AppResult<Rows<CertificateRow>> {
    use diesel::BoolExpressionMethods;
    let mut query = certificates::table
        .select(CertificateRow::as_select())
        .order(certificates::id)
        .limit(page.fetch())
        .into_boxed();
    if let Sight::Own { user, courses, units } = sight {
        let below = tree::is_below("certificates.user_id", *user);
        let taught: Vec<Id> = courses.iter().map(|id| Id(*id)).collect();
        let own = certificates::user_id.eq(Id(*user)).or(certificates::user_id.eq_any(people_of(units)));
        query = query.filter(own.or(certificates::course_id.eq_any(taught)).or(below));
    }
    if let Some(after) = page.after {
        query = query.filter(certificates::id.gt(Id(after)));
    }
    if let Some(user) = filter.user_id.as_ref().and_then(Ref::id) {
        query = query.filter(certificates::user_id.eq(Id(user)));
    }
    if let Some(course) = filter.course_id.as_ref().and_then(Ref::id) {
        query = query.filter(certificates::course_id.eq(Id(course)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.id))
}
