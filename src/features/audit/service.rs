//! Use cases about the audit log.

use uuid::Uuid;

use super::dto::{AuditEntry, AuditQuery, Party};
use super::store::{self, EventRow};
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::domain::permission::{Act, Relation};
use crate::error::AppResult;
use crate::features::users;
use crate::http::Ref;
use crate::state::Ctx;

/// Entries in one piece of an export.
const PIECE: i64 = 1000;

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180, with a header line.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

fn out(row: EventRow) -> AuditEntry {
    AuditEntry {
        id: row.id,
        at: row.at,
        action: row.kind,
        actor: Party { kind: row.actor_kind, id: row.actor_id },
        via_client_id: row.via_client_id,
        subject: Party { kind: row.subject_kind, id: Some(row.subject_id).filter(|id| !id.is_nil()) },
        user_id: row.user_id,
        course_id: row.course_id,
        request_id: row.request_id,
        data: row.data,
    }
}

/// Whether the caller may read the log.
///
/// # Errors
/// 403.
pub fn authorise(ctx: &Ctx) -> AppResult<()> {
    ctx.require(Act::ReadAudit, &Relation::default())
}

/// A page of the log.
///
/// # Errors
/// 403.
pub fn list(conn: &mut Conn, ctx: &Ctx, mut filter: AuditQuery, page: &PageRequest) -> AppResult<Rows<AuditEntry>> {
    authorise(ctx)?;
    Ref::settle(&mut filter.user_id, |who| users::id_of(conn, who))?;
    Ref::settle(&mut filter.actor, |who| users::id_of(conn, who))?;
    let rows = store::page(conn, &filter, page.after, page.fetch())?;
    Ok(Rows::cut(rows, page, |row| row.id).map(out))
}

/// The next piece of an export and where the one after begins; `None` when there is nothing more.
///
/// # Errors
/// Database errors.
pub fn piece(
    conn: &mut Conn,
    filter: &AuditQuery,
    after: Option<Uuid>,
    format: Format,
) -> AppResult<Option<(String, Uuid)>> {
    let mut filter = filter.clone();
    Ref::settle(&mut filter.user_id, |who| users::id_of(conn, who))?;
    Ref::settle(&mut filter.actor, |who| users::id_of(conn, who))?;
    let rows = store::page(conn, &filter, after, PIECE)?;
    let Some(last) = rows.last().map(|row| row.id) else { return Ok(None) };
    let mut text = String::new();
    for entry in rows.into_iter().map(out) {
        match format {
            Format::Ndjson => {
                text.push_str(&serde_json::to_string(&entry).unwrap_or_default());
                text.push('\n');
            }
            Format::Csv => line(&entry, &mut text),
        }
    }
    Ok(Some((text, last)))
}

/// The first line of a CSV export.
pub const HEADER: &str =
    "id,at,action,actor_kind,actor_id,via_client_id,subject_kind,subject_id,user_id,course_id,request_id,data\r\n";

fn line(entry: &AuditEntry, text: &mut String) {
    let id = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    let cells = [
        entry.id.to_string(),
        entry.at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
        entry.action.clone(),
        entry.actor.kind.clone(),
        id(entry.actor.id),
        id(entry.via_client_id),
        entry.subject.kind.clone(),
        id(entry.subject.id),
        id(entry.user_id),
        id(entry.course_id),
        entry.request_id.clone().unwrap_or_default(),
        entry.data.to_string(),
    ];
    for (index, value) in cells.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        cell(value, text);
    }
    text.push_str("\r\n");
}

/// One cell; what a spreadsheet would take for a formula gets an apostrophe before it.
fn cell(value: &str, text: &mut String) {
    let formula = value.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if !formula && !value.contains(['"', ',', '\n', '\r']) {
        text.push_str(value);
        return;
    }
    text.push('"');
    if formula {
        text.push('\'');
    }
    text.push_str(&value.replace('"', "\"\""));
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_disarmed() {
        for (value, written) in
            [("plain", "plain"), ("a,b", "\"a,b\""), ("say \"x\"", "\"say \"\"x\"\"\""), ("=1+1", "\"'=1+1\"")]
        {
            let mut text = String::new();
            cell(value, &mut text);
            assert_eq!(text, written);
        }
    }
}
