//! SQL about tokens and what clients prove themselves by.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl,
    Selectable, SelectableHelper,
};
use serde_json::Value;
use uuid::Uuid;

use crate::db::Conn;
use crate::db::schema::{client_assertions, client_secrets, clients, refresh_tokens, revoked_tokens, sessions, users};
use crate::db::types::{At, Id};
use crate::error::AppResult;
use crate::http::Ref;
use crate::per_backend;

/// What the token endpoint needs to know of a client.
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = clients)]
pub struct ClientRow {
    pub id: Uuid,
    pub auth_method: String,
    pub scopes: Value,
    pub state: String,
    pub jwks: Option<Value>,
}

pub fn client(conn: &mut Conn, id: Uuid) -> AppResult<Option<ClientRow>> {
    Ok(clients::table.filter(clients::id.eq(Id(id))).select(ClientRow::as_select()).first(conn).optional()?)
}

/// Hashes of the secrets that count.
pub fn secret_hashes(conn: &mut Conn, client: Uuid, now: DateTime<Utc>) -> AppResult<Vec<String>> {
    let live = client_secrets::expires_at.is_null().or(client_secrets::expires_at.gt(At(now)).assume_not_null());
    Ok(client_secrets::table
        .filter(client_secrets::client_id.eq(Id(client)))
        .filter(live)
        .select(client_secrets::hash)
        .load(conn)?)
}

/// Keeps the id of an assertion; false when it was taken before, also by another process at this very moment.
pub fn take_assertion(conn: &mut Conn, client: Uuid, jti_hash: &str, expires: DateTime<Utc>) -> AppResult<bool> {
    let row = (
        client_assertions::client_id.eq(Id(client)),
        client_assertions::jti_hash.eq(jti_hash),
        client_assertions::expires_at.eq(At(expires)),
    );
    let taken = per_backend!(conn, |c| diesel::insert_into(client_assertions::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(taken == 1)
}

pub fn touch(conn: &mut Conn, client: Uuid, now: DateTime<Utc>) -> AppResult<()> {
    diesel::update(clients::table.filter(clients::id.eq(Id(client))))
        .set(clients::last_used_at.eq(At(now)))
        .execute(conn)?;
    Ok(())
}

pub fn revoke(conn: &mut Conn, token: Uuid, expires: DateTime<Utc>) -> AppResult<()> {
    let row = (revoked_tokens::jti.eq(Id(token)), revoked_tokens::expires_at.eq(At(expires)));
    per_backend!(conn, |c| diesel::insert_into(revoked_tokens::table).values(row).on_conflict_do_nothing().execute(c))?;
    Ok(())
}

/// A refresh token's session: its id, the user, when it expires, whether all of it counts.
pub type Refreshable = (Uuid, Uuid, DateTime<Utc>, bool);

/// A refresh token with its session.
pub fn refresh_token(conn: &mut Conn, hash: &str, now: DateTime<Utc>) -> AppResult<Option<Refreshable>> {
    type Row = (Uuid, Uuid, DateTime<Utc>, Option<DateTime<Utc>>, Option<DateTime<Utc>>, String);
    let row: Option<Row> = refresh_tokens::table
        .inner_join(sessions::table.inner_join(users::table))
        .filter(refresh_tokens::hash.eq(hash))
        .select((
            sessions::id,
            users::id,
            sessions::expires_at,
            sessions::ended_at,
            refresh_tokens::used_at,
            users::state,
        ))
        .first(conn)
        .optional()?;
    Ok(row.map(|(session, user, expires, ended, used, state)| {
        (session, user, expires, ended.is_none() && used.is_none() && expires > now && state == "active")
    }))
}

pub fn end_session(conn: &mut Conn, session: Uuid, now: DateTime<Utc>) -> AppResult<()> {
    let live = sessions::table.filter(sessions::id.eq(Id(session))).filter(sessions::ended_at.is_null());
    diesel::update(live).set((sessions::ended_at.eq(At(now)), sessions::end_reason.eq("revoked"))).execute(conn)?;
    Ok(())
}

/// An active user.
pub fn active_user(conn: &mut Conn, who: &Ref) -> AppResult<Option<Uuid>> {
    let mut query = users::table.select(users::id).filter(users::state.eq("active")).into_boxed();
    query = match who {
        Ref::Id(id) => query.filter(users::id.eq(Id(*id))),
        Ref::External(external) => query.filter(users::external_id.eq(external)),
    };
    Ok(query.first(conn).optional()?)
}

/// Forgets assertions and revocations of what has expired.
pub fn forget(conn: &mut Conn, before: DateTime<Utc>) -> AppResult<()> {
    diesel::delete(client_assertions::table.filter(client_assertions::expires_at.lt(At(before)))).execute(conn)?;
    diesel::delete(revoked_tokens::table.filter(revoked_tokens::expires_at.lt(At(before)))).execute(conn)?;
    Ok(())
}
