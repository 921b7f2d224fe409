//! Use cases about certificates.

use std::collections::{BTreeSet, HashMap};

use chrono::TimeDelta;
use serde_json::json;
use uuid::Uuid;

use super::dto::{CertificateOut, CertificateQuery, RevokeIn, VerificationOut};
use super::store::{self, CertificateRow, Sight};
use crate::clock;
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::domain::bounds::later;
use crate::domain::permission::{Act, Actor, Reach, Relation, Role};
use crate::error::{AppError, AppResult, Code};
use crate::events::{self, NewEvent};
use crate::features::courses::{self, CourseRow};
use crate::features::enrollments::EnrollmentRow;
use crate::features::users;
use crate::http::{Conditions, Ref};
use crate::state::Ctx;

/// Crockford's base 32: no letters that look like digits.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Four groups of four characters, 80 random bits: short enough to type, too long to guess.
fn serial() -> AppResult<String> {
    let bytes = clock::random::<16>()?;
    let text: String =
        bytes.iter().map(|byte| char::from(ALPHABET.get(usize::from(byte % 32)).copied().unwrap_or(b'0'))).collect();
    let groups: Vec<&str> = [0, 4, 8, 12].iter().filter_map(|from| text.get(*from..from + 4)).collect();
    Ok(groups.join("-"))
}

fn out(row: CertificateRow, base: &str) -> CertificateOut {
    CertificateOut {
        verify_url: format!("{base}/verify/{}", row.serial),
        id: row.id,
        serial: row.serial,
        user_id: row.user_id,
        course_id: row.course_id,
        enrollment_id: row.enrollment_id,
        holder: row.holder,
        title: row.title,
        issued_at: row.issued_at,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
        revoke_reason: row.revoke_reason,
        version: row.version,
    }
}

/// Issues the certificates of completed enrollments whose courses issue any; each enrollment's unique key keeps it to one. Answers
/// them by enrollment, with what is to be told.
///
/// # Errors
/// Database errors.
pub fn issue_on_completion(
    conn: &mut Conn,
    ctx: &Ctx,
    completed: &[EnrollmentRow],
) -> AppResult<(HashMap<Uuid, Uuid>, Vec<NewEvent>)> {
    let ids: Vec<Uuid> = completed.iter().map(|row| row.course_id).collect::<BTreeSet<_>>().into_iter().collect();
    let mut issuing: HashMap<Uuid, CourseRow> =
        courses::rows(conn, &ids)?.into_iter().map(|course| (course.id, course)).collect();
    issuing.retain(|_, course| course.issues_certificate);
    let earned: Vec<&EnrollmentRow> = completed.iter().filter(|row| issuing.contains_key(&row.course_id)).collect();
    if earned.is_empty() {
        return Ok((HashMap::new(), Vec::new()));
    }
    let people: Vec<Uuid> = earned.iter().map(|row| row.user_id).collect();
    let names: HashMap<Uuid, (String, String)> =
        users::names(conn, &people)?.into_iter().map(|(id, given, family)| (id, (given, family))).collect();
    let mut rows = Vec::with_capacity(earned.len());
    for enrollment in earned {
        let (Some(course), Some((given, family))) =
            (issuing.get(&enrollment.course_id), names.get(&enrollment.user_id))
        else {
            continue;
        };
        rows.push(CertificateRow {
            id: ctx.new_id(),
            serial: serial()?,
            enrollment_id: enrollment.id,
            user_id: enrollment.user_id,
            course_id: course.id,
            holder: format!("{given} {family}"),
            title: course.title.clone(),
            issued_at: ctx.now,
            expires_at: course.certificate_valid_days.map(|days| later(ctx.now, TimeDelta::days(days.into()))),
            revoked_at: None,
            revoke_reason: None,
            version: 1,
        });
    }
    if store::insert_many(conn, &rows)? < rows.len() {
        // Some were taken back when a grade was corrected, and are earned again.
        let enrollments: Vec<Uuid> = rows.iter().map(|row| row.enrollment_id).collect();
        rows = store::reinstate(conn, &enrollments)?;
    }
    let told = rows.iter().map(|row| {
        let event = NewEvent::new("certificate.issued", "certificate", row.id).course(row.course_id).user(row.user_id);
        event.data(json!({"serial": row.serial, "enrollment_id": row.enrollment_id}))
    });
    let told = told.collect();
    Ok((rows.into_iter().map(|row| (row.enrollment_id, row.id)).collect(), told))
}

/// Revokes the certificates of enrollments, where there are any, because the completions do not hold any more.
///
/// # Errors
/// Database errors.
pub fn withdraw(conn: &mut Conn, ctx: &Ctx, enrollments: &[Uuid], reason: &str) -> AppResult<Vec<NewEvent>> {
    let rows = store::valid_of(conn, enrollments)?;
    if !rows.is_empty() {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        store::revoke_many(conn, &ids, reason, ctx.now)?;
    }
    let told = |row: &CertificateRow| {
        NewEvent::new("certificate.revoked", "certificate", row.id).course(row.course_id).user(row.user_id)
    };
    Ok(rows.iter().map(told).collect())
}

fn find(conn: &mut Conn, ctx: &Ctx, id: Uuid, act: Act) -> AppResult<CertificateRow> {
    let row = store::find(conn, id)?.ok_or_else(|| AppError::not_found("certificate"))?;
    let mut relation =
        Relation { own: ctx.actor.user_id() == Some(row.user_id), course: Some(row.course_id), ..Relation::default() };
    if !ctx.may(Act::ReadCertificate, &relation) {
        users::relate(conn, ctx, row.user_id, &mut relation)?;
    }
    if !ctx.may(Act::ReadCertificate, &relation) {
        return Err(AppError::not_found("certificate"));
    }
    ctx.require(act, &relation)?;
    Ok(row)
}

/// One certificate.
///
/// # Errors
/// 404.
pub fn get(conn: &mut Conn, ctx: &Ctx, id: Uuid, base: &str) -> AppResult<CertificateOut> {
    Ok(out(find(conn, ctx, id, Act::ReadCertificate)?, base))
}

/// A page of certificates that the caller may see.
///
/// # Errors
/// Database errors.
pub fn list(
    conn: &mut Conn,
    ctx: &Ctx,
    mut filter: CertificateQuery,
    page: &PageRequest,
    base: &str,
) -> AppResult<Rows<CertificateOut>> {
    Ref::settle(&mut filter.user_id, |who| users::id_of(conn, who))?;
    Ref::settle(&mut filter.course_id, |which| courses::id_of(conn, which))?;
    let sight = match &ctx.actor {
        Actor::User { id, grants } if !ctx.may(Act::ReadCertificate, &Relation::default()) => Sight::Own {
            user: *id,
            courses: grants
                .iter()
                .filter_map(|grant| match grant.reach {
                    Reach::Course(course) if grant.role == Role::Instructor => Some(course),
                    _ => None,
                })
                .collect(),
            units: ctx.actor.units_for(Act::ReadCertificate),
        },
        _ => Sight::All,
    };
    Ok(store::list(conn, &filter, &sight, page)?.map(|row| out(row, base)))
}

/// Revokes a certificate; its verification says so at once.
///
/// # Errors
/// 403, 404, 409, 412.
pub fn revoke(
    conn: &mut Conn,
    ctx: &Ctx,
    id: Uuid,
    input: RevokeIn,
    conditions: &Conditions,
    base: &str,
) -> AppResult<CertificateOut> {
    let mut row = find(conn, ctx, id, Act::RevokeCertificate)?;
    conditions.require(row.version)?;
    if row.revoked_at.is_some() {
        return Err(AppError::new(Code::WrongState, "The certificate is revoked already."));
    }
    row.revoked_at = Some(ctx.now);
    row.revoke_reason = Some(input.reason);
    row.version = row.version.saturating_add(1);
    store::revoke(conn, &row)?;
    let event = NewEvent::new("certificate.revoked", "certificate", row.id).course(row.course_id).user(row.user_id);
    events::append(conn, ctx, vec![event])?;
    Ok(out(row, base))
}

/// Whether a certificate is good; for anyone.
///
/// # Errors
/// 404.
pub fn verify(conn: &mut Conn, serial: &str, now: chrono::DateTime<chrono::Utc>) -> AppResult<VerificationOut> {
    let missing = || AppError::new(Code::NotFound, "No certificate has this serial.");
    if serial.contains('\0') || serial.len() > 64 {
        return Err(missing());
    }
    let row = store::find_by_serial(conn, &serial.to_uppercase())?.ok_or_else(missing)?;
    let status = match (row.revoked_at, row.expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(at)) if at <= now => "expired",
        _ => "valid",
    };
    Ok(VerificationOut {
        valid: status == "valid",
        status,
        serial: row.serial,
        holder: row.holder,
        title: row.title,
        issued_at: row.issued_at,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
    })
}
