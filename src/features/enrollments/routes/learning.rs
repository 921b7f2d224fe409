//! What learners do, and what staff grant them.

use actix_web::{post, web};
use uuid::Uuid;

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::domain::learning::Exception;
use crate::error::AppResult;
use crate::features::enrollments::dto::{
    ActOut, ChoiceIn, CompleteIn, EventsIn, EventsOut, OverrideIn, UpgradeIn, UpgradeOut,
};
use crate::features::enrollments::learning as service;
use crate::http::{Answer, Body, Conditions, Retry, commit};

/// Record learning events
///
/// One event, or up to 500 in any order and possibly twice. Each gets its own verdict; the answer shows what they brought about: progress, next steps, the certificate. One event alone that is rejected answers 403, 409 or 422 itself.
///
/// The order within a call does not matter: what an event opens is open to all others of the call, and only what is still locked at its end is rejected. A rejected event is not remembered: it may be sent again later with the same id, once what locked it is open. An id that was applied once is a `duplicate` from then on, whatever it carries.
#[utoipa::path(tag = "learning", operation_id = "record_events", params(("enrollment_id" = Uuid, Path)), request_body = EventsIn,
    responses((status = 200, description = "The verdicts and what follows.", body = EventsOut)),
    security(("user" = []), ("bearer" = [])))]
#[post("/v1/enrollments/{enrollment_id}/events")]
pub async fn record_events(
    caller: Caller<need::User>,
    state: Anyone,
    retry: Retry,
    id: web::Path<Uuid>,
    body: Body<EventsIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let outcome = match body.input {
            EventsIn::One(event) => service::record(conn, ctx, *id, &[event], true)?,
            EventsIn::Batch(batch) => service::record_batch(conn, ctx, *id, batch.events)?,
        };
        Answer::ok(&outcome)
    })
    .await
}

/// Complete a module for a learner
///
/// By an instructor's word, whatever the module's completion asks. Scope: `enrollments:write`. Role: admin or instructor.
#[utoipa::path(tag = "learning", operation_id = "complete_module", params(("enrollment_id" = Uuid, Path), ("module_key" = String, Path)),
    request_body = CompleteIn, responses((status = 200, description = "What follows.", body = ActOut)),
    security(("user" = []), ("client" = ["enrollments:write"]), ("bearer" = [])))]
#[post("/v1/enrollments/{enrollment_id}/modules/{module_key}/complete")]
pub async fn complete_module(
    caller: Caller<need::EnrollmentsWrite>,
    state: Anyone,
    retry: Retry,
    path: web::Path<(Uuid, String)>,
    body: Body<CompleteIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        Answer::ok(&service::grant(conn, ctx, path.0, &path.1, Exception::Complete, body.input.reason.as_deref())?)
    })
    .await
}

/// Choose a branch
///
/// The choice may be changed until something in the branch was begun.
#[utoipa::path(tag = "learning", operation_id = "choose_branch", params(("enrollment_id" = Uuid, Path)), request_body = ChoiceIn,
    responses((status = 200, description = "What follows.", body = ActOut)), security(("user" = []), ("bearer" = [])))]
#[post("/v1/enrollments/{enrollment_id}/choices")]
pub async fn choose_branch(
    caller: Caller<need::User>,
    state: Anyone,
    retry: Retry,
    id: web::Path<Uuid>,
    body: Body<ChoiceIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        Answer::ok(&service::choose(conn, ctx, *id, &body.input)?)
    })
    .await
}

/// Grant an exception
///
/// Waive or unlock a module, or grant more attempts. Scope: `enrollments:write`. Role: admin or instructor.
#[utoipa::path(tag = "learning", operation_id = "grant_override", params(("enrollment_id" = Uuid, Path), ("module_key" = String, Path)),
    request_body = OverrideIn, responses((status = 200, description = "What follows.", body = ActOut)),
    security(("user" = []), ("client" = ["enrollments:write"]), ("bearer" = [])))]
#[post("/v1/enrollments/{enrollment_id}/modules/{module_key}/overrides")]
pub async fn grant_override(
    caller: Caller<need::EnrollmentsWrite>,
    state: Anyone,
    retry: Retry,
    path: web::Path<(Uuid, String)>,
    body: Body<OverrideIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let exception = service::exception(&body.input);
        Answer::ok(&service::grant(conn, ctx, path.0, &path.1, exception, body.input.reason().map(String::as_str))?)
    })
    .await
}

/// Move to a newer revision
///
/// The progress of every module whose key still exists goes along; the answer tells what could not. `dry_run` only tells. Scope: `enrollments:write`. The learner, an instructor or an admin.
#[utoipa::path(tag = "learning", operation_id = "upgrade_enrollment", params(("enrollment_id" = Uuid, Path)), request_body = UpgradeIn,
    responses((status = 200, description = "What went along.", body = UpgradeOut)),
    security(("user" = []), ("client" = ["enrollments:write"]), ("bearer" = [])))]
#[post("/v1/enrollments/{enrollment_id}/upgrade")]
pub async fn upgrade_enrollment(
    caller: Caller<need::EnrollmentsWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    id: web::Path<Uuid>,
    body: Body<UpgradeIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        Answer::ok(&service::upgrade(conn, ctx, *id, &body.input, &conditions)?)
    })
    .await
}
