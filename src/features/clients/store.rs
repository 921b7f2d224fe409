//! SQL about clients.

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, Selectable, SelectableHelper};
use serde_json::Value;
use uuid::Uuid;

use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::db::schema::clients;
use crate::db::types::{At, Id, Json};
use crate::error::AppResult;

/// A row of `clients`.
#[derive(Debug, Clone, diesel::Queryable, Selectable)]
#[diesel(table_name = clients)]
pub struct ClientRow {
    pub id: Uuid,
    pub name: String,
    pub auth_method: String,
    pub secret_hash: String,
    pub scopes: Value,
    pub state: String,
    pub version: i64,
    pub last_used_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

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
            clients::secret_hash.eq(&row.secret_hash),
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

pub fn touch(conn: &mut Conn, id: Uuid, now: DateTime<Utc>) -> AppResult<()> {
    diesel::update(clients::table.filter(clients::id.eq(Id(id))))
        .set(clients::last_used_at.eq(At(now)))
        .execute(conn)?;
    Ok(())
}
