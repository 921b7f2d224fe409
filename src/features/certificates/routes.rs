//! `/v1/certificates`, `/verify/{serial}`.

use actix_web::{HttpRequest, get, post, web};
use uuid::Uuid;

use super::dto::{CertificateOut, CertificateQuery, RevokeIn, VerificationOut};
use super::service;
use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::http::answer::Page;
use crate::http::{Answer, Body, Conditions, Query, Retry, commit, query};

/// List certificates
///
/// Learners see their own, managers those of their reports, instructors those of their courses, admins and clients all. Scope: `certificates:read`.
#[utoipa::path(tag = "certificates", operation_id = "list_certificates", params(CertificateQuery),
    responses((status = 200, description = "A page of certificates, in order of issue.", body = Page<CertificateOut>)),
    security(("user" = []), ("client" = ["certificates:read"]), ("bearer" = [])))]
#[get("/v1/certificates")]
pub async fn list_certificates(
    caller: Caller<need::CertificatesRead>,
    state: Anyone,
    request: HttpRequest,
    filter: Query<CertificateQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let (ctx, base) = (caller.0, state.public_url.clone());
    let rows = state.db.read(move |conn| service::list(conn, &ctx, filter.0, &page, &base)).await?;
    Answer::page(rows, &request)
}

/// Read a certificate
///
/// Scope: `certificates:read`.
#[utoipa::path(tag = "certificates", operation_id = "get_certificate", params(("certificate_id" = Uuid, Path)),
    responses((status = 200, description = "The certificate.", body = CertificateOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["certificates:read"]), ("bearer" = [])))]
#[get("/v1/certificates/{certificate_id}")]
pub async fn get_certificate(
    caller: Caller<need::CertificatesRead>,
    state: Anyone,
    conditions: Conditions,
    id: web::Path<Uuid>,
) -> AppResult<Answer> {
    let (ctx, base) = (caller.0, state.public_url.clone());
    let certificate = state.db.read(move |conn| service::get(conn, &ctx, *id, &base)).await?;
    Ok(Answer::ok(&certificate)?.etag(certificate.version).unless_known(&conditions))
}

/// Revoke a certificate
///
/// Its verification says so at once. Role: admin.
#[utoipa::path(tag = "certificates", operation_id = "revoke_certificate", params(("certificate_id" = Uuid, Path)), request_body = RevokeIn,
    responses((status = 200, description = "The revoked certificate.", body = CertificateOut, headers(("ETag" = String)))),
    security(("user" = []), ("bearer" = [])))]
#[post("/v1/certificates/{certificate_id}/revoke")]
pub async fn revoke_certificate(
    caller: Caller<need::User>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    id: web::Path<Uuid>,
    body: Body<RevokeIn>,
) -> AppResult<Answer> {
    let base = state.public_url.clone();
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let certificate = service::revoke(conn, ctx, *id, body.input, &conditions, &base)?;
        Ok(Answer::ok(&certificate)?.etag(certificate.version))
    })
    .await
}

/// Verify a certificate
///
/// For anyone who has the serial; no log-in.
#[utoipa::path(tag = "certificates", operation_id = "verify_certificate", params(("serial" = String, Path)),
    responses((status = 200, description = "Whether it is good.", body = VerificationOut)))]
#[get("/verify/{serial}")]
pub async fn verify_certificate(state: Anyone, serial: web::Path<String>) -> AppResult<Answer> {
    let now = state.clock.now();
    let verification = state.db.read(move |conn| service::verify(conn, &serial, now)).await?;
    Ok(Answer::ok(&verification)?.header("access-control-allow-origin", "*"))
}
