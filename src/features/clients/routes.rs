//! `/v1/clients`.

use actix_web::{HttpRequest, delete, get, patch, post, web};
use uuid::Uuid;

use super::dto::{ClientIn, ClientOut, ClientPatch, ClientQuery, SecretIn, SecretOut};
use super::service;
use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::http::answer::Page;
use crate::http::{Answer, Body, Conditions, Query, Retry, commit, query};

/// Create a machine client
///
/// The answer shows the secret, once. A client with `private_key_jwt` has none: it registers its public keys in `jwks`. Role: admin.
#[utoipa::path(tag = "machine auth", operation_id = "create_client", request_body = ClientIn,
    responses((status = 201, description = "The client with its secret.", body = ClientOut, headers(("Location" = String), ("ETag" = String)))),
    security(("user" = []), ("bearer" = [])))]
#[post("/v1/clients")]
pub async fn create_client(
    caller: Caller<need::User>,
    state: Anyone,
    retry: Retry,
    body: Body<ClientIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let client = service::create(conn, ctx, body.input)?;
        Ok(Answer::created(&format!("/v1/clients/{}", client.client_id), &client)?.etag(client.version))
    })
    .await
}

/// List machine clients
///
/// Role: admin.
#[utoipa::path(tag = "machine auth", operation_id = "list_clients", params(ClientQuery),
    responses((status = 200, description = "A page of clients.", body = Page<ClientOut>)), security(("user" = []), ("bearer" = [])))]
#[get("/v1/clients")]
pub async fn list_clients(
    caller: Caller<need::User>,
    state: Anyone,
    request: HttpRequest,
    filter: Query<ClientQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| service::list(conn, &ctx, &page)).await?;
    Answer::page(rows, &request)
}

/// Read a machine client
///
/// Role: admin.
#[utoipa::path(tag = "machine auth", operation_id = "get_client", params(("client_id" = Uuid, Path)),
    responses((status = 200, description = "The client.", body = ClientOut, headers(("ETag" = String)))), security(("user" = []), ("bearer" = [])))]
#[get("/v1/clients/{client_id}")]
pub async fn get_client(
    caller: Caller<need::User>,
    state: Anyone,
    conditions: Conditions,
    id: web::Path<Uuid>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let client = state.db.read(move |conn| service::get(conn, &ctx, *id)).await?;
    Ok(Answer::ok(&client)?.etag(client.version).unless_known(&conditions))
}

/// Change a machine client
///
/// A merge patch. Fewer scopes and `disabled` are in force at once, also for tokens given out. Role: admin.
#[utoipa::path(tag = "machine auth", operation_id = "update_client", params(("client_id" = Uuid, Path)),
    request_body(content((ClientPatch = "application/merge-patch+json"), (ClientPatch = "application/json"))),
    responses((status = 200, description = "The changed client.", body = ClientOut, headers(("ETag" = String)))),
    security(("user" = []), ("bearer" = [])))]
#[patch("/v1/clients/{client_id}")]
pub async fn update_client(
    caller: Caller<need::User>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    id: web::Path<Uuid>,
    body: Body<ClientPatch>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let client = service::update(conn, ctx, *id, body.input, &conditions)?;
        Ok(Answer::ok(&client)?.etag(client.version))
    })
    .await
}

/// Delete a machine client
///
/// Its tokens are void at once. Role: admin.
#[utoipa::path(tag = "machine auth", operation_id = "delete_client", params(("client_id" = Uuid, Path)),
    responses((status = 204, description = "Gone.")), security(("user" = []), ("bearer" = [])))]
#[delete("/v1/clients/{client_id}")]
pub async fn delete_client(
    caller: Caller<need::User>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    id: web::Path<Uuid>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        service::delete(conn, ctx, *id, &conditions)?;
        Ok(Answer::no_content())
    })
    .await
}

/// Give a client another secret
///
/// Two secrets count at a time: make the new one, move the client over, then delete the old one, or let it end by itself after
/// `old_expires_in_seconds`. The answer shows the secret, once. 409 when there are two already. Role: admin.
#[utoipa::path(tag = "machine auth", operation_id = "create_client_secret", params(("client_id" = Uuid, Path)), request_body = SecretIn,
    responses((status = 201, description = "The new secret.", body = SecretOut)), security(("user" = []), ("bearer" = [])))]
#[post("/v1/clients/{client_id}/secrets")]
pub async fn create_client_secret(
    caller: Caller<need::User>,
    state: Anyone,
    retry: Retry,
    id: web::Path<Uuid>,
    body: Body<SecretIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let secret = service::add_secret(conn, ctx, *id, &body.input)?;
        Answer::created(&format!("/v1/clients/{id}/secrets/{}", secret.id), &secret)
    })
    .await
}

/// Take a secret from a client
///
/// No new tokens by it from now on. Role: admin.
#[utoipa::path(tag = "machine auth", operation_id = "delete_client_secret",
    params(("client_id" = Uuid, Path), ("secret_id" = Uuid, Path)),
    responses((status = 204, description = "Gone.")), security(("user" = []), ("bearer" = [])))]
#[delete("/v1/clients/{client_id}/secrets/{secret_id}")]
pub async fn delete_client_secret(
    caller: Caller<need::User>,
    state: Anyone,
    retry: Retry,
    ids: web::Path<(Uuid, Uuid)>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        service::delete_secret(conn, ctx, ids.0, ids.1)?;
        Ok(Answer::no_content())
    })
    .await
}
