//! Use cases about clients.

use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::dto::{AccessToken, AuthMethod, ClientIn, ClientOut, ClientPatch, ClientState};
use super::store::{self, ClientRow};
use crate::clock;
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::domain::permission::{Act, Relation, Scope};
use crate::error::{AppError, AppResult};
use crate::events::{self, NewEvent};
use crate::http::{Conditions, Patch};
use crate::state::{Ctx, State};

/// Secrets have 256 random bits, so one fast hash keeps them as safe as a slow one would.
fn hash(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn out(row: ClientRow, client_secret: Option<String>) -> AppResult<ClientOut> {
    Ok(ClientOut {
        client_id: row.id,
        name: row.name,
        scopes: serde_json::from_value(row.scopes).map_err(AppError::internal)?,
        auth_method: serde_json::from_value(Value::String(row.auth_method)).map_err(AppError::internal)?,
        state: serde_json::from_value(Value::String(row.state)).map_err(AppError::internal)?,
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
    let secret = clock::secret()?;
    let method = match input.auth_method.unwrap_or(AuthMethod::ClientSecretBasic) {
        AuthMethod::ClientSecretBasic => "client_secret_basic",
        AuthMethod::ClientSecretPost => "client_secret_post",
    };
    let row = ClientRow {
        id: ctx.new_id(),
        name: input.name.trim().to_owned(),
        auth_method: method.to_owned(),
        secret_hash: hash(&secret),
        scopes: scopes_value(&input.scopes)?,
        state: ClientState::Active.as_str().to_owned(),
        version: 1,
        last_used_at: None,
        created_at: ctx.now,
        updated_at: ctx.now,
    };
    store::insert(conn, &row)?;
    events::append(conn, ctx, vec![NewEvent::new("client.created", "client", row.id)])?;
    out(row, Some(secret))
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
    out(find(conn, id)?, None)
}

/// A page of clients.
///
/// # Errors
/// 403.
pub fn list(conn: &mut Conn, ctx: &Ctx, page: &PageRequest) -> AppResult<Rows<ClientOut>> {
    ctx.require(Act::ManageClients, &Relation::default())?;
    let rows = store::list(conn, page)?;
    let items = rows.items.into_iter().map(|row| out(row, None)).collect::<AppResult<_>>()?;
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
    row.version = row.version.saturating_add(1);
    row.updated_at = ctx.now;
    store::update(conn, &row)?;
    events::append(conn, ctx, vec![NewEvent::new("client.updated", "client", id)])?;
    out(row, None)
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

/// An error of the token endpoint (RFC 6749 §5.2).
pub struct OAuthError {
    /// The registered name.
    pub error: &'static str,
    /// For people.
    pub description: String,
    /// Whether the client itself was refused (401) and not its request (400).
    pub unauthorized: bool,
}

/// What came with the token request, whichever way.
pub struct Credentials {
    /// The client's id.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// How they were sent.
    pub method: AuthMethod,
}

fn refused() -> OAuthError {
    OAuthError {
        error: "invalid_client",
        description: "The client is unknown, disabled, or its secret is wrong.".into(),
        unauthorized: true,
    }
}

/// Gives a client a token, narrowed to the scopes it asks for.
///
/// # Errors
/// An RFC 6749 error inside `Ok`, anything else outside.
pub async fn token(
    state: &State,
    credentials: Credentials,
    scope: Option<String>,
) -> AppResult<Result<AccessToken, OAuthError>> {
    let Ok(id) = Uuid::try_parse(&credentials.id) else { return Ok(Err(refused())) };
    let Some(row) = state.db.read(move |conn| store::find(conn, id)).await? else { return Ok(Err(refused())) };
    let same: bool = hash(&credentials.secret).as_bytes().ct_eq(row.secret_hash.as_bytes()).into();
    let client = out(row, None)?;
    if !same || client.state != ClientState::Active || client.auth_method != credentials.method {
        return Ok(Err(refused()));
    }
    let allowed = &client.scopes;
    let granted: Vec<Scope> = match scope.as_deref().map(str::trim).filter(|s| !s.is_empty()) {
        None => allowed.clone(),
        Some(asked) => {
            let mut granted = Vec::new();
            for name in asked.split(' ').filter(|s| !s.is_empty()) {
                match name.parse::<Scope>() {
                    Ok(scope) if allowed.contains(&scope) => granted.push(scope),
                    _ => {
                        let description = format!("The client may not have the scope {name}.");
                        return Ok(Err(OAuthError { error: "invalid_scope", description, unauthorized: false }));
                    }
                }
            }
            granted
        }
    };
    let now = state.clock.now();
    state.db.write(move |conn| store::touch(conn, id, now)).await?;
    let scope = granted.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(" ");
    let access_token = state.tokens.sign(id, None, Some(scope.clone()), now, state.access_lifetime())?;
    Ok(Ok(AccessToken { access_token, token_type: "Bearer", expires_in: state.config.access_token_seconds, scope }))
}
