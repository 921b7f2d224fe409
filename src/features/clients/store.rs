//! SQL about clients.

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl,
    Selectable, SelectableHelper,
};
use serde_json::Value;
use uuid::Uuid;

use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::db::schema::{client_secrets, clients};
use crate::db::types::{At, Id, Json};
use crate::error::AppResult;

/// A row of `clients`.
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = clients)]
pub struct ClientRow {
    pub id: Uuid,
    pub name: String,
    pub auth_method: String,
    pub scopes: Value,
    pub state: String,
    pub version: i64,
    pub last_used_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub jwks: Option<Value>,
}

/// A row of `client_secrets` without the hash: id, client, when made, when it ends.
pub type SecretRow = (Uuid, Uuid, DateTime<Utc>, Option<DateTime<Utc>>);

pub fn find(conn: &mut Conn, id: Uuid) -> AppResult<Option<ClientRow>> {
    Ok(clients::table.filter(clients::id.eq(Id(id))).select(ClientRow::as_select()).first(conn).optional()?)
}

pub fn list(conn: &mut Conn, page: &PageRequest) -> AppResult<Rows<ClientRow>> {
    let mut query = clients::table.select(ClientRow::as_select()).order(clients::id).limit(page.fetch()).into_boxed();
    if let Some(after) = page.after {
        query = query.filter(clients::id.gt(Id(after)));
    }
    Ok(Rows::cut(query.load(conn)?, page, |row| row.id))
}

pub fn insert(conn: &mut Conn, row: &ClientRow) -> AppResult<()> {
    diesel::insert_into(clients::table)
        .values((
            clients::id.eq(Id(row.id)),
            clients::name.eq(&row.name),
            clients::auth_method.eq(&row.auth_method),
            clients::jwks.eq(row.jwks.clone().map(Json)),
            clients::scopes.eq(Json(row.scopes.clone())),
            clients::state.eq(&row.state),
            clients::version.eq(row.version),
            clients::created_at.eq(At(row.created_at)),
            clients::updated_at.eq(At(row.updated_at)),
        ))
        .execute(conn)?;
    Ok(())
}

pub fn update(conn: &mut Conn, row: &ClientRow) -> AppResult<()> {
    diesel::update(clients::table.filter(clients::id.eq(Id(row.id))))
        .set((
            clients::name.eq(&row.name),
            clients::scopes.eq(Json(row.scopes.clone())),
            clients::jwks.eq(row.jwks.clone().map(Json)),
            clients::state.eq(&row.state),
            clients::version.eq(row.version),
            clients::updated_at.eq(At(row.updated_at)),
        ))
        .execute(conn)?;
    Ok(())
}

pub fn delete(conn: &mut Conn, id: Uuid) -> AppResult<()> {
    diesel::delete(clients::table.filter(clients::id.eq(Id(id)))).execute(conn)?;
    Ok(())
}

/// Notes that what is shown of a client has changed beside its row.
pub fn changed(conn: &mut Conn, id: Uuid, now: DateTime<Utc>) -> AppResult<()> {
    diesel::update(clients::table.filter(clients::id.eq(Id(id))))
        .set((clients::version.eq(clients::version + 1), clients::updated_at.eq(At(now))))
        .execute(conn)?;
    Ok(())
}

/// The secrets that count, oldest first.
pub fn secrets(conn: &mut Conn, ids: &[Uuid], now: DateTime<Utc>) -> AppResult<Vec<SecretRow>> {
    let live = client_secrets::expires_at.is_null().or(client_secrets::expires_at.gt(At(now)).assume_not_null());
    Ok(client_secrets::table
        .filter(client_secrets::client_id.eq_any(ids.iter().map(|id| Id(*id))))
        .filter(live)
        .order((client_secrets::client_id, client_secrets::id))
        .select((client_secrets::id, client_secrets::client_id, client_secrets::created_at, client_secrets::expires_at))
        .load(conn)?)
}

pub fn insert_secret(conn: &mut Conn, id: Uuid, client: Uuid, hash: &str, now: DateTime<Utc>) -> AppResult<()> {
    diesel::insert_into(client_secrets::table)
        .values((
            client_secrets::id.eq(Id(id)),
            client_secrets::client_id.eq(Id(client)),
            client_secrets::hash.eq(hash),
            client_secrets::created_at.eq(At(now)),
        ))
        .execute(conn)?;
    Ok(())
}

/// Lets a secret end.
pub fn end_secret(conn: &mut Conn, id: Uuid, at: DateTime<Utc>) -> AppResult<()> {
    diesel::update(client_secrets::table.filter(client_secrets::id.eq(Id(id))))
        .set(client_secrets::expires_at.eq(At(at)))
        .execute(conn)?;
    Ok(())
}

pub fn delete_secret(conn: &mut Conn, client: Uuid, id: Uuid) -> AppResult<bool> {
    let one =
        client_secrets::table.filter(client_secrets::id.eq(Id(id))).filter(client_secrets::client_id.eq(Id(client)));
    Ok(diesel::delete(one).execute(conn)? == 1)
}
