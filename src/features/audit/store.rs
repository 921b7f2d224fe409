//! SQL about the audit log.

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, Selectable, SelectableHelper};
use serde_json::Value;
use uuid::Uuid;

use super::dto::AuditQuery;
use crate::db::Conn;
use crate::db::blocks::{self, Log};
use crate::db::schema::events;
use crate::db::types::{At, Id};
use crate::error::AppResult;
use crate::http::Ref;

/// A row of `events`.
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = events)]
pub struct EventRow {
    pub id: Uuid,
    pub kind: String,
    pub at: DateTime<Utc>,
    pub actor_kind: String,
    pub actor_id: Option<Uuid>,
    pub subject_kind: String,
    pub subject_id: Uuid,
    pub course_id: Option<Uuid>,
    pub user_id: Option<Uuid>,
    pub data: Value,
    pub request_id: Option<String>,
    pub via_client_id: Option<Uuid>,
}

/// Entries after one, newest first, which is the order of the log backwards.
pub fn page(conn: &mut Conn, filter: &AuditQuery, after: Option<Uuid>, limit: i64) -> AppResult<Vec<EventRow>> {
    let mut query = events::table.select(EventRow::as_select()).order(events::seq.desc()).limit(limit).into_boxed();
    let last = match after {
        None => i64::MAX,
        Some(after) => {
            let this = events::table.filter(events::id.eq(Id(after))).select(events::seq);
            this.get_result::<i64>(conn).optional()?.unwrap_or(0).saturating_sub(1)
        }
    };
    if let Some(actor) = filter.actor.as_ref().and_then(Ref::id) {
        query = query.filter(events::actor_id.eq(Id(actor)));
    }
    if let Some(client) = filter.via_client_id {
        query = query.filter(events::via_client_id.eq(Id(client)));
    }
    if let Some(subject) = filter.subject {
        query = query.filter(events::subject_id.eq(Id(subject)));
    }
    query = match filter.user_id.as_ref().and_then(Ref::id) {
        Some(user) => query.filter(blocks::about_any(conn, Log::Events, &[user], 0, last)),
        None => query.filter(events::seq.le(last)),
    };
    if let Some(action) = &filter.action {
        query = query.filter(events::kind.eq(action.clone()));
    }
    if let Some(from) = filter.from {
        query = query.filter(events::at.ge(At(from)));
    }
    if let Some(until) = filter.until {
        query = query.filter(events::at.lt(At(until)));
    }
    Ok(query.load(conn)?)
}
