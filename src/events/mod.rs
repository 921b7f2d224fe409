//! The event log: an append-only row for each change, written in the transaction of the change it tells of.
//!
//! Learning events that change no state (a heartbeat of a video) are in `learning_events` only, which is append-only too.

pub mod dispatch;

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl, TextExpressionMethods};
use serde_json::Value;
use uuid::Uuid;

use crate::db::Conn;
use crate::db::blocks::{self, Log};
use crate::db::bulk::{Bulk, Kind};
use crate::db::schema::events;
use crate::db::types::Id;
use crate::domain::game::deeds::is_deed;
use crate::error::AppResult;
use crate::state::Ctx;

/// What happened, before it is written.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Name, such as `enrollment.created`.
    pub kind: &'static str,
    /// Kind of the resource that it happened to, such as `enrollment`.
    pub subject_kind: &'static str,
    /// The resource.
    pub subject_id: Uuid,
    /// The course it belongs to.
    pub course_id: Option<Uuid>,
    /// The person it is about.
    pub user_id: Option<Uuid>,
    /// Details.
    pub data: Value,
}

impl NewEvent {
    /// Something happened to a resource.
    #[must_use]
    pub fn new(kind: &'static str, subject_kind: &'static str, subject_id: Uuid) -> Self {
        Self {
            kind,
            subject_kind,
            subject_id,
            course_id: None,
            user_id: None,
            data: Value::Object(serde_json::Map::new()),
        }
    }

    /// The same with its course.
    #[must_use]
    pub fn course(mut self, id: Uuid) -> Self {
        self.course_id = Some(id);
        self
    }

    /// The same with the person it is about.
    #[must_use]
    pub fn user(mut self, id: Uuid) -> Self {
        self.user_id = Some(id);
        self
    }

    /// The same with details.
    #[must_use]
    pub fn data(mut self, data: Value) -> Self {
        self.data = data;
        self
    }
}

const ROWS: Bulk<12> = Bulk {
    table: "events",
    columns: [
        ("id", Kind::Id),
        ("kind", Kind::Text),
        ("at", Kind::At),
        ("actor_kind", Kind::Text),
        ("actor_id", Kind::Id),
        ("subject_kind", Kind::Text),
        ("subject_id", Kind::Id),
        ("course_id", Kind::Id),
        ("user_id", Kind::Id),
        ("data", Kind::Json),
        ("request_id", Kind::Text),
        ("via_client_id", Kind::Id),
    ],
    tail: "",
};

/// Appends events.
///
/// # Errors
/// Database errors.
pub fn append(conn: &mut Conn, ctx: &Ctx, new: Vec<NewEvent>) -> AppResult<()> {
    let texts: Vec<String> = new.iter().map(|event| event.data.to_string()).collect();
    let rows = new.iter().zip(&texts).map(|(event, data)| {
        debug_assert!(event.user_id.is_none() || is_deed(event.kind), "{} is no known deed", event.kind);
        [
            ctx.new_id().into(),
            event.kind.into(),
            ctx.now.into(),
            ctx.actor.kind().into(),
            ctx.actor.id().into(),
            event.subject_kind.into(),
            event.subject_id.into(),
            event.course_id.into(),
            event.user_id.into(),
            data.as_str().into(),
            ctx.request_id.as_deref().into(),
            ctx.via.as_ref().map(|via| via.client).into(),
        ]
    });
    ROWS.insert(conn, &rows.collect::<Vec<_>>())?;
    Ok(())
}

/// An event as it was written.
#[derive(Debug, Clone)]
pub struct Event {
    /// Position in the log.
    pub seq: i64,
    /// Its id.
    pub id: Uuid,
    /// Name.
    pub kind: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Kind of the resource.
    pub subject_kind: String,
    /// The resource.
    pub subject_id: Uuid,
    /// The course it belongs to.
    pub course_id: Option<Uuid>,
    /// The person it is about.
    pub user_id: Option<Uuid>,
    /// Details.
    pub data: Value,
}

type Row = (i64, Uuid, String, DateTime<Utc>, String, Uuid, Option<Uuid>, Option<Uuid>, Value);
type Columns = (
    events::seq,
    events::id,
    events::kind,
    events::at,
    events::subject_kind,
    events::subject_id,
    events::course_id,
    events::user_id,
    events::data,
);
const COLUMNS: Columns = (
    events::seq,
    events::id,
    events::kind,
    events::at,
    events::subject_kind,
    events::subject_id,
    events::course_id,
    events::user_id,
    events::data,
);

impl From<Row> for Event {
    fn from((seq, id, kind, at, subject_kind, subject_id, course_id, user_id, data): Row) -> Self {
        Self { seq, id, kind, at, subject_kind, subject_id, course_id, user_id, data }
    }
}

/// Events of some kinds after a position and up to another, in order, of everybody or of some people, for those who go through
/// history again.
///
/// # Errors
/// Database errors.
pub fn of_kinds(
    conn: &mut Conn,
    kinds: &[&str],
    users: Option<&[Uuid]>,
    after: i64,
    until: i64,
    limit: i64,
) -> AppResult<Vec<Event>> {
    let kinds: Vec<String> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
    let query = events::table.order(events::seq).limit(limit).select(COLUMNS).into_boxed();
    let query = match users {
        None => query.filter(events::kind.eq_any(kinds)).filter(events::seq.gt(after)).filter(events::seq.le(until)),
        // SQLite would go through all events of these kinds; few people have few events.
        Some(users) => query.filter(events::kind.concat("").eq_any(kinds)).filter(blocks::about_any(
            conn,
            Log::Events,
            users,
            after,
            until,
        )),
    };
    let rows: Vec<Row> = query.load(conn)?;
    Ok(rows.into_iter().map(Event::from).collect())
}

/// How far a consumer of the log has come.
///
/// # Errors
/// Database errors.
pub fn cursor(conn: &mut Conn, consumer: &str) -> AppResult<i64> {
    use crate::db::schema::event_cursors as cursors;
    use diesel::OptionalExtension;
    Ok(cursors::table.find(consumer).select(cursors::seq).get_result(conn).optional()?.unwrap_or(0))
}

/// Events after a position, in order. On Postgres none that a transaction that still runs could yet precede.
///
/// # Errors
/// Database errors.
pub fn after(conn: &mut Conn, seq: i64, limit: i64) -> AppResult<Vec<Event>> {
    let rows: Vec<Row> = match conn {
        Conn::Pg(pg) => {
            // By itself, since what it answers holds for snapshots that are taken after it.
            let settled: i64 =
                diesel::select(diesel::dsl::sql::<diesel::sql_types::BigInt>("events_settled()")).first(pg)?;
            events::table
                .filter(events::seq.gt(seq))
                .filter(events::seq.le(settled))
                .order(events::seq)
                .limit(limit)
                .select(COLUMNS)
                .load(pg)?
        }
        Conn::Sqlite(lite) => {
            events::table.filter(events::seq.gt(seq)).order(events::seq).limit(limit).select(COLUMNS).load(lite)?
        }
    };
    Ok(rows.into_iter().map(Event::from).collect())
}

/// Events of some kinds that happened to a resource, in order.
///
/// # Errors
/// Database errors.
pub fn about(conn: &mut Conn, subject: Uuid, kinds: &[&str]) -> AppResult<Vec<Event>> {
    let rows: Vec<Row> = events::table
        .filter(events::subject_id.eq(Id(subject)))
        .filter(events::kind.eq_any(kinds.iter().map(|kind| (*kind).to_owned())))
        .order(events::seq)
        .select(COLUMNS)
        .load(conn)?;
    Ok(rows.into_iter().map(Event::from).collect())
}

/// Ids of the events of one kind that happened to these resources, each with its resource.
///
/// # Errors
/// Database errors.
pub fn ids_of(conn: &mut Conn, kind: &str, subjects: &[Uuid]) -> AppResult<Vec<(Uuid, Uuid)>> {
    Ok(events::table
        .filter(events::subject_id.eq_any(subjects.iter().map(|id| Id(*id))))
        .filter(events::kind.eq(kind))
        .order(events::seq)
        .select((events::id, events::subject_id))
        .load(conn)?)
}

/// These events, in order.
///
/// # Errors
/// Database errors.
pub fn by_ids(conn: &mut Conn, ids: &[Uuid]) -> AppResult<Vec<Event>> {
    let rows: Vec<Row> = events::table
        .filter(events::id.eq_any(ids.iter().map(|id| Id(*id))))
        .order(events::seq)
        .select(COLUMNS)
        .load(conn)?;
    Ok(rows.into_iter().map(Event::from).collect())
}
