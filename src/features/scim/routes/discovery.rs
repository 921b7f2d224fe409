//! What the server says of itself. Parameters are not looked at, but filters are refused (RFC 7644 §4).

use actix_web::{HttpRequest, get, web};

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::{AppError, AppResult, Code};
use crate::features::scim::dto::{ScimConfig, ScimResourceType, ScimResourceTypeList, ScimSchema, ScimSchemaList};
use crate::features::scim::{base, discovery};
use crate::http::Answer;

fn forbid_filter(request: &HttpRequest) -> AppResult<()> {
    let filtered = request.query_string().split('&').any(|pair| pair.split('=').next() == Some("filter"));
    if filtered {
        return Err(AppError::new(Code::Forbidden, "This is not filtered; it is the same for everybody."));
    }
    Ok(())
}

/// Read what of SCIM is supported
///
/// For identity providers, which ask it first: limits, paging, authentication. Scope: `scim`.
#[utoipa::path(tag = "scim", operation_id = "get_scim_config",
    responses((status = 200, description = "It.", body = ScimConfig, content_type = "application/scim+json")),
    security(("user" = []), ("client" = ["scim"]), ("bearer" = [])))]
#[get("/scim/v2/ServiceProviderConfig")]
pub async fn get_scim_config(_caller: Caller<need::Scim>, state: Anyone, request: HttpRequest) -> AppResult<Answer> {
    forbid_filter(&request)?;
    Answer::scim(
        200,
        &discovery::config(&base(&state), &format!("{}/docs/", state.public_url), state.config.body_limit_bytes),
    )
}

/// List the kinds of SCIM resources
///
/// Users and groups, with where they are. Scope: `scim`.
#[utoipa::path(tag = "scim", operation_id = "list_scim_resource_types",
    responses((status = 200, description = "It.", body = ScimResourceTypeList, content_type = "application/scim+json")),
    security(("user" = []), ("client" = ["scim"]), ("bearer" = [])))]
#[get("/scim/v2/ResourceTypes")]
pub async fn list_scim_resource_types(
    _caller: Caller<need::Scim>,
    state: Anyone,
    request: HttpRequest,
) -> AppResult<Answer> {
    forbid_filter(&request)?;
    Answer::scim(200, &discovery::resource_types(&base(&state)))
}

/// Read a kind of SCIM resources
///
/// `User` or `Group`. Scope: `scim`.
#[utoipa::path(tag = "scim", operation_id = "get_scim_resource_type", params(("resource_type" = String, Path, description = "`User` or `Group`.")),
    responses((status = 200, description = "It.", body = ScimResourceType, content_type = "application/scim+json")),
    security(("user" = []), ("client" = ["scim"]), ("bearer" = [])))]
#[get("/scim/v2/ResourceTypes/{resource_type}")]
pub async fn get_scim_resource_type(
    _caller: Caller<need::Scim>,
    state: Anyone,
    request: HttpRequest,
    resource_type: web::Path<String>,
) -> AppResult<Answer> {
    forbid_filter(&request)?;
    Answer::scim(200, &discovery::resource_type(&base(&state), &resource_type)?)
}

/// List the SCIM schemas
///
/// Every attribute that is kept: its kind, whether it may be changed, when it is returned. Scope: `scim`.
#[utoipa::path(tag = "scim", operation_id = "list_scim_schemas",
    responses((status = 200, description = "It.", body = ScimSchemaList, content_type = "application/scim+json")),
    security(("user" = []), ("client" = ["scim"]), ("bearer" = [])))]
#[get("/scim/v2/Schemas")]
pub async fn list_scim_schemas(_caller: Caller<need::Scim>, state: Anyone, request: HttpRequest) -> AppResult<Answer> {
    forbid_filter(&request)?;
    Answer::scim(200, &discovery::schemas(&base(&state)))
}

/// Read a SCIM schema
///
/// By its URI. Scope: `scim`.
#[utoipa::path(tag = "scim", operation_id = "get_scim_schema", params(("schema_id" = String, Path, description = "The URI of the schema.")),
    responses((status = 200, description = "It.", body = ScimSchema, content_type = "application/scim+json")),
    security(("user" = []), ("client" = ["scim"]), ("bearer" = [])))]
#[get("/scim/v2/Schemas/{schema_id}")]
pub async fn get_scim_schema(
    _caller: Caller<need::Scim>,
    state: Anyone,
    request: HttpRequest,
    schema_id: web::Path<String>,
) -> AppResult<Answer> {
    forbid_filter(&request)?;
    Answer::scim(200, &discovery::schema(&base(&state), &schema_id)?)
}
