//! `/v1/enrollments/bulk`.

use actix_web::post;

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::features::enrollments::bulk as service;
use crate::features::enrollments::dto::EnrollmentBulkIn;
use crate::http::bulk::{BulkOut, BulkQuery};
use crate::http::{Answer, Body, Query, Retry, commit};

/// Enrol many
///
/// Up to 1,000 pairs of course and learner, each with a verdict of its own: `created`, `unchanged` when the learner is enrolled already, or `error`. With `?dry_run=true` nothing is written. Scope: `enrollments:write`. Role: instructor, admin, or manager of the learners.
#[utoipa::path(tag = "learning", operation_id = "enroll_in_bulk", params(BulkQuery), request_body = EnrollmentBulkIn,
    responses((status = 200, description = "The verdicts, in the order of the items.", body = BulkOut)),
    security(("user" = []), ("client" = ["enrollments:write"]), ("bearer" = [])))]
#[post("/v1/enrollments/bulk")]
pub async fn enroll_in_bulk(
    caller: Caller<need::EnrollmentsWrite>,
    state: Anyone,
    retry: Retry,
    options: Query<BulkQuery>,
    body: Body<EnrollmentBulkIn>,
) -> AppResult<Answer> {
    let dry_run = options.0.dry_run.unwrap_or(false);
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        Answer::ok(&service::enroll(conn, ctx, body.input, dry_run)?)
    })
    .await
}
