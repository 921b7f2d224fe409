//! `/v1/frameworks`.

use actix_web::http::header;
use actix_web::{HttpRequest, delete, get, patch, post, web};
use uuid::Uuid;

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::{AppError, AppResult};
use crate::features::competencies::dto::{
    CasePackageIn, CasePackageOut, ExportQuery, FrameworkIn, FrameworkOut, FrameworkPatch, FrameworkQuery,
    FrameworkVersionOut, ImportOut, ImportQuery, PageQuery,
};
use crate::features::competencies::service::drafts::{self, Format};
use crate::features::competencies::service::frameworks as service;
use crate::features::competencies::service::importing;
use crate::http::answer::Page;
use crate::http::{Answer, Body, Conditions, Query, Retry, body, commit, query};

/// Bytes that a framework may have; more than other bodies.
const LIST_LIMIT: usize = 64 * 1024 * 1024;

/// Create a framework
///
/// A tree of competencies with their levels; up to 1,000 at once, larger ones are imported. Scope: `competencies:write`. Role: admin or author.
#[utoipa::path(tag = "competencies", operation_id = "create_framework",
    request_body = FrameworkIn,
    responses((status = 201, description = "The new framework.", body = FrameworkOut, headers(("Location" = String), ("ETag" = String)))),
    security(("user" = []), ("client" = ["competencies:write"]), ("bearer" = [])))]
#[post("/v1/frameworks")]
pub async fn create_framework(
    caller: Caller<need::CompetenciesWrite>,
    state: Anyone,
    retry: Retry,
    body: Body<FrameworkIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let made = service::create(conn, ctx, body.input)?;
        Ok(Answer::created(&format!("/v1/frameworks/{}", made.id), &made)?.etag(made.version))
    })
    .await
}

/// List frameworks
///
/// In order of their making. Scope: `competencies:read`.
#[utoipa::path(tag = "competencies", operation_id = "list_frameworks", params(FrameworkQuery),
    responses((status = 200, description = "A page of frameworks.", body = Page<FrameworkOut>)),
    security(("user" = []), ("client" = ["competencies:read"]), ("bearer" = [])))]
#[get("/v1/frameworks")]
pub async fn list_frameworks(
    caller: Caller<need::CompetenciesRead>,
    state: Anyone,
    request: HttpRequest,
    filter: Query<FrameworkQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| service::list(conn, &ctx, &filter.0, &page)).await?;
    Answer::page(rows, &request)
}

/// Import a framework
///
/// A CASE package (1EdTech, 1.0 or 1.1) as JSON, or a table as CSV with the columns key, title, parent, kind, description and code (at most 64 MiB and 100,000 competencies). What was imported before becomes its next version: competencies keep their ids as long as their key is in it, those that are gone are retired, and how mastery is reckoned stays; what rolls up from other competencies than before is reckoned again within seconds. What the package says and Cairn does not keep is named in `left_out`; one without any competency is refused. With `dry_run` nothing is written. Scope: `competencies:write`. Role: admin or author.
#[utoipa::path(tag = "competencies", operation_id = "import_framework", params(ImportQuery),
    request_body(content((CasePackageIn = "application/json"), (String = "text/csv"))),
    responses((status = 200, description = "What it did, or would do.", body = ImportOut)),
    security(("user" = []), ("client" = ["competencies:write"]), ("bearer" = [])))]
#[post("/v1/frameworks/import")]
pub async fn import_framework(
    caller: Caller<need::CompetenciesWrite>,
    state: Anyone,
    retry: Retry,
    options: Query<ImportQuery>,
    request: HttpRequest,
    payload: web::Payload,
) -> AppResult<Answer> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    // Before 64 MiB are read and judged.
    importing::may(&caller)?;
    let format = Format::of(content_type)?;
    let raw = body::read(&request, &mut payload.into_inner(), LIST_LIMIT).await?;
    let (text, options) = (raw.clone(), options.0);
    let wanted = options.clone();
    let draft = web::block(move || drafts::read(format, &text, &wanted)).await.map_err(AppError::internal)??;
    commit(&state, &caller, retry, &raw, move |conn, ctx| Answer::ok(&importing::import(conn, ctx, &draft, &options)?))
        .await
}

/// Read a framework
///
/// Its competencies are listed by `GET /v1/competencies?framework_id=…`. Scope: `competencies:read`.
#[utoipa::path(tag = "competencies", operation_id = "get_framework", params(("framework_id" = Uuid, Path)),
    responses((status = 200, description = "The framework.", body = FrameworkOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["competencies:read"]), ("bearer" = [])))]
#[get("/v1/frameworks/{framework_id}")]
pub async fn get_framework(
    caller: Caller<need::CompetenciesRead>,
    state: Anyone,
    conditions: Conditions,
    path: web::Path<Uuid>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let found = state.db.read(move |conn| service::get(conn, &ctx, *path)).await?;
    Ok(Answer::ok(&found)?.etag(found.version).unless_known(&conditions))
}

/// Change a framework
///
/// Its title and description; a merge patch. Scope: `competencies:write`. Role: admin or author.
#[utoipa::path(tag = "competencies", operation_id = "update_framework", params(("framework_id" = Uuid, Path)),
    request_body(content((FrameworkPatch = "application/merge-patch+json"), (FrameworkPatch = "application/json"))),
    responses((status = 200, description = "The changed framework.", body = FrameworkOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["competencies:write"]), ("bearer" = [])))]
#[patch("/v1/frameworks/{framework_id}")]
pub async fn update_framework(
    caller: Caller<need::CompetenciesWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    path: web::Path<Uuid>,
    body: Body<FrameworkPatch>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let made = service::update(conn, ctx, *path, body.input, &conditions)?;
        Ok(Answer::ok(&made)?.etag(made.version))
    })
    .await
}

/// Delete a framework
///
/// Only while no evidence, target or published course refers to its competencies. Scope: `competencies:write`. Role: admin or author.
#[utoipa::path(tag = "competencies", operation_id = "delete_framework", params(("framework_id" = Uuid, Path)),
    responses((status = 204, description = "Gone.")),
    security(("user" = []), ("client" = ["competencies:write"]), ("bearer" = [])))]
#[delete("/v1/frameworks/{framework_id}")]
pub async fn delete_framework(
    caller: Caller<need::CompetenciesWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    path: web::Path<Uuid>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        service::delete(conn, ctx, *path, &conditions)?;
        Ok(Answer::no_content())
    })
    .await
}

/// List a framework's versions
///
/// What each import changed, oldest first. Scope: `competencies:read`.
#[utoipa::path(tag = "competencies", operation_id = "list_framework_versions", params(("framework_id" = Uuid, Path), PageQuery),
    responses((status = 200, description = "A page of versions.", body = Page<FrameworkVersionOut>)),
    security(("user" = []), ("client" = ["competencies:read"]), ("bearer" = [])))]
#[get("/v1/frameworks/{framework_id}/versions")]
pub async fn list_framework_versions(
    caller: Caller<need::CompetenciesRead>,
    state: Anyone,
    request: HttpRequest,
    path: web::Path<Uuid>,
    filter: Query<PageQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| service::list_versions(conn, &ctx, *path, &page)).await?;
    Answer::page(rows, &request)
}

/// Export a framework
///
/// As a CASE package (1EdTech, 1.0 or 1.1) that other systems read; retired competencies are no part of it. Scope: `competencies:read`.
#[utoipa::path(tag = "competencies", operation_id = "export_framework", params(("framework_id" = Uuid, Path), ExportQuery),
    responses((status = 200, description = "The package.", body = CasePackageOut)),
    security(("user" = []), ("client" = ["competencies:read"]), ("bearer" = [])))]
#[get("/v1/frameworks/{framework_id}/case")]
pub async fn export_framework(
    caller: Caller<need::CompetenciesRead>,
    state: Anyone,
    path: web::Path<Uuid>,
    options: Query<ExportQuery>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let (base, version) = (state.public_url.clone(), options.0.case_version.unwrap_or_default());
    let package = state.db.read_slow(move |conn| service::export(conn, &ctx, *path, version, &base)).await?;
    Answer::ok(&package)
}
