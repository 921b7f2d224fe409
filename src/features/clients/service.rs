//! Use cases about clients.

use chrono::TimeDelta;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::dto::{AuthMethod, ClientIn, ClientOut, ClientPatch, ClientState, SecretIn, SecretOut};
use super::store::{self, ClientRow, SecretRow};
use crate::clock;
use crate::db::page::{PageRequest, Rows};
use crate::db::{Conn, LockTable, lock_row};
use crate::domain::permission::{Act, Relation, Scope};
use crate::error::{AppError, AppResult, Code};
use crate::events::{self, NewEvent};
use crate::http::{Conditions, Patch};
use crate::state::Ctx;

/// Secrets have 256 random bits, so one fast hash keeps them as safe as a slow one would.
fn hash(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn out(row: ClientRow, secrets: &[SecretRow], client_secret: Option<String>) -> AppResult<ClientOut> {
    Ok(ClientOut {
        client_id: row.id,
        name: row.name,
        scopes: serde_json::from_value(row.scopes).map_err(AppError::internal)?,
        auth_method: serde_json::from_value(Value::String(row.auth_method)).map_err(AppError::internal)?,
        state: serde_json::from_value(Value::String(row.state)).map_err(AppError::internal)?,
        secrets: secrets
            .iter()
            .filter(|secret| secret.1 == row.id)
            .map(|(id, _, created_at, expires_at)| SecretOut {
                id: *id,
                created_at: *created_at,
                expires_at: *expires_at,
                client_secret: None,
            })
            .collect(),
        jwks: row.jwks,
        last_used_at: row.last_used_at,
        created_at: row.created_at,
        updated_at: row.updated_at,
        client_secret,
        version: row.version,
    })
}

fn scopes_value(scopes: &[Scope]) -> AppResult<Value> {
    serde_json::to_value(scopes).map_err(AppError::internal)
}

/// Makes a client; the answer is the only one that shows its secret.
///
/// # Errors
/// 403.
pub fn create(conn: &mut Conn, ctx: &Ctx, input: ClientIn) -> AppResult<ClientOut> {
    ctx.require(Act::ManageClients, &Relation::default())?;
    let method = input.auth_method.unwrap_or(AuthMethod::ClientSecretBasic);
    let row = ClientRow {
        id: ctx.new_id(),
        name: input.name.trim().to_owned(),
        auth_method: method.as_str().to_owned(),
        scopes: scopes_value(&input.scopes)?,
        state: ClientState::Active.as_str().to_owned(),
        version: 1,
        last_used_at: None,
        created_at: ctx.now,
        updated_at: ctx.now,
        jwks: input.jwks.map(Value::Object),
    };
    store::insert(conn, &row)?;
    let secret = match method {
        AuthMethod::PrivateKeyJwt => None,
        AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost => Some(clock::secret()?),
    };
    if let Some(secret) = &secret {
        store::insert_secret(conn, ctx.new_id(), row.id, &hash(secret), ctx.now)?;
    }
    events::append(conn, ctx, vec![NewEvent::new("client.created", "client", row.id)])?;
    let secrets = store::secrets(conn, &[row.id], ctx.now)?;
    out(row, &secrets, secret)
}

fn find(conn: &mut Conn, id: Uuid) -> AppResult<ClientRow> {
    store::find(conn, id)?.ok_or_else(|| AppError::not_found("client"))
}

/// One client.
///
/// # Errors
/// 403, 404.
pub fn get(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<ClientOut> {
    ctx.require(Act::ManageClients, &Relation::default())?;
    let secrets = store::secrets(conn, &[id], ctx.now)?;
    out(find(conn, id)?, &secrets, None)
}

/// A page of clients.
///
/// # Errors
/// 403.
pub fn list(conn: &mut Conn, ctx: &Ctx, page: &PageRequest) -> AppResult<Rows<ClientOut>> {
    ctx.require(Act::ManageClients, &Relation::default())?;
    let rows = store::list(conn, page)?;
    let ids: Vec<Uuid> = rows.items.iter().map(|row| row.id).collect();
    let secrets = store::secrets(conn, &ids, ctx.now)?;
    let items = rows.items.into_iter().map(|row| out(row, &secrets, None)).collect::<AppResult<_>>()?;
    Ok(Rows { items, next: rows.next })
}

/// Changes a client.
///
/// # Errors
/// 403, 404, 412.
pub fn update(
    conn: &mut Conn,
    ctx: &Ctx,
    id: Uuid,
    patch: ClientPatch,
    conditions: &Conditions,
) -> AppResult<ClientOut> {
    ctx.require(Act::ManageClients, &Relation::default())?;
    let mut row = find(conn, id)?;
    conditions.require(row.version)?;
    if let Patch::Value(name) = patch.name {
        row.name = name.trim().to_owned();
    }
    if let Patch::Value(scopes) = patch.scopes {
        row.scopes = scopes_value(&scopes)?;
    }
    if let Patch::Value(state) = patch.state {
        row.state = state.as_str().to_owned();
    }
    if let Patch::Value(jwks) = patch.jwks {
        if row.auth_method != AuthMethod::PrivateKeyJwt.as_str() {
            return Err(AppError::field("/jwks", "not_allowed", "Only private_key_jwt has keys."));
        }
        row.jwks = Some(Value::Object(jwks));
    }
    row.version = row.version.saturating_add(1);
    row.updated_at = ctx.now;
    store::update(conn, &row)?;
    events::append(conn, ctx, vec![NewEvent::new("client.updated", "client", id)])?;
    let secrets = store::secrets(conn, &[id], ctx.now)?;
    out(row, &secrets, None)
}

/// Deletes a client; its tokens are void at once.
///
/// # Errors
/// 403, 404, 412.
pub fn delete(conn: &mut Conn, ctx: &Ctx, id: Uuid, conditions: &Conditions) -> AppResult<()> {
    ctx.require(Act::ManageClients, &Relation::default())?;
    conditions.require(find(conn, id)?.version)?;
    store::delete(conn, id)?;
    events::append(conn, ctx, vec![NewEvent::new("client.deleted", "client", id)])
}

/// Gives a client another secret; the answer is the only one that shows it.
///
/// # Errors
/// 403, 404; 409 when two count already, or the client signs.
pub fn add_secret(conn: &mut Conn, ctx: &Ctx, id: Uuid, input: &SecretIn) -> AppResult<SecretOut> {
    ctx.require(Act::ManageClients, &Relation::default())?;
    lock_row(conn, LockTable::Clients, id)?;
    let row = find(conn, id)?;
    if row.auth_method == AuthMethod::PrivateKeyJwt.as_str() {
        return Err(AppError::new(Code::WrongState, "The client signs with its own key; change its `jwks`."));
    }
    let live = store::secrets(conn, &[id], ctx.now)?;
    if live.len() >= 2 {
        return Err(AppError::new(Code::WrongState, "The client has two secrets. Delete one first."));
    }
    if let Some(seconds) = input.old_expires_in_seconds {
        let ends = ctx.now + TimeDelta::seconds(seconds.into());
        for (old, ..) in live {
            store::end_secret(conn, old, ends)?;
        }
    }
    let secret = clock::secret()?;
    let made = SecretOut { id: ctx.new_id(), created_at: ctx.now, expires_at: None, client_secret: Some(secret) };
    store::insert_secret(conn, made.id, id, &hash(made.client_secret.as_deref().unwrap_or_default()), ctx.now)?;
    store::changed(conn, id, ctx.now)?;
    events::append(conn, ctx, vec![NewEvent::new("client.secret_added", "client", id)])?;
    Ok(made)
}

/// Takes a secret from a client.
///
/// # Errors
/// 403, 404.
pub fn delete_secret(conn: &mut Conn, ctx: &Ctx, client: Uuid, secret: Uuid) -> AppResult<()> {
    ctx.require(Act::ManageClients, &Relation::default())?;
    if !store::delete_secret(conn, client, secret)? {
        return Err(AppError::not_found("secret"));
    }
    store::changed(conn, client, ctx.now)?;
    events::append(conn, ctx, vec![NewEvent::new("client.secret_deleted", "client", client)])
}
