//! `/healthz`, `/readyz`, `/metrics`, `/openapi.json`, `/v1/sandbox/clock`.

use actix_web::{HttpResponse, get, http::header, put};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::service;
use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::{AppError, AppResult, Code};
use crate::http::{Answer, Body, Input, metrics, openapi};

/// Is the process alive?
///
/// Always 200 while it can answer at all.
#[utoipa::path(tag = "operation", operation_id = "get_health", responses((status = 200, description = "Alive.", body = Object, example = json!({"status": "ok"}))))]
#[get("/healthz")]
pub async fn get_health() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}))
}

/// Can the process serve?
///
/// 200 when the database answers and its migrations are current, 503 otherwise.
#[utoipa::path(tag = "operation", operation_id = "get_readiness", responses((status = 200, description = "Ready.", body = Object, example = json!({"status": "ready"}))))]
#[get("/readyz")]
pub async fn get_readiness(state: Anyone) -> AppResult<Answer> {
    match service::readiness(&state).await {
        Ok(pending) if pending.is_empty() => Answer::ok(&json!({"status": "ready"})),
        Ok(pending) => {
            Err(AppError::new(Code::Unavailable, "The database lacks migrations.").with("pending_migrations", pending))
        }
        Err(error) => {
            log::error!("not ready: {error}");
            Err(AppError::new(Code::Unavailable, "The database does not answer."))
        }
    }
}

/// Read the metrics
///
/// In Prometheus's text format.
#[utoipa::path(tag = "operation", operation_id = "get_metrics", responses((status = 200, description = "The metrics.", body = String, content_type = "text/plain")))]
#[get("/metrics")]
pub async fn get_metrics() -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "text/plain; version=0.0.4")).body(metrics::render())
}

/// Read this document
///
/// OpenAPI 3.1; the same that is committed as `openapi/cairn.json`.
#[utoipa::path(tag = "operation", operation_id = "get_openapi", responses((status = 200, description = "The document.", body = Object)))]
#[get("/openapi.json")]
pub async fn get_openapi() -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "application/json")).body(openapi::text())
}

/// How far to move the clock.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"advance_seconds": 86400}))]
pub struct ClockIn {
    /// Seconds to go forward; 100 years at most, in all.
    #[schema(maximum = 3_162_240_000_i64)]
    pub advance_seconds: u64,
}

impl Input for ClockIn {}

/// The server's time.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClockOut {
    /// Now, for everything the server does.
    pub now: DateTime<Utc>,
}

/// Move the sandbox clock
///
/// Only when started with `CAIRN_SANDBOX=1`: all of the server's notion of time moves forward, also that of tokens' expiry. Role: admin.
#[utoipa::path(tag = "operation", operation_id = "set_clock", request_body = ClockIn,
    responses((status = 200, description = "The new time.", body = ClockOut), (status = 404, description = "Not in the sandbox.")),
    security(("user" = []), ("bearer" = [])))]
#[put("/v1/sandbox/clock")]
pub async fn set_clock(caller: Caller<need::User>, state: Anyone, body: Body<ClockIn>) -> AppResult<Answer> {
    let now = service::advance_clock(&state, caller.0, body.input.advance_seconds).await?;
    Answer::ok(&ClockOut { now })
}
