//! `/v1/enrollments/{enrollment_id}/modules/{module_key}/attempts`, `/v1/attempts`.

use actix_web::{HttpRequest, delete, get, patch, post, put, web};
use uuid::Uuid;

use super::dto::{AnswerIn, AttemptIn, AttemptOut, AttemptQuery, CorrectIn, SubmitOut};
use super::{correcting, service};
use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::http::answer::Page;
use crate::http::{Answer, Body, Conditions, Query, Retry, commit, query};

/// Begin an attempt
///
/// The items carry no key to the answers. An attempt in progress is given again. 403 with `reasons` while the quiz is locked.
#[utoipa::path(tag = "quizzes", operation_id = "create_attempt", params(("enrollment_id" = Uuid, Path), ("module_key" = String, Path)),
    request_body = AttemptIn,
    responses((status = 201, description = "The attempt.", body = AttemptOut, headers(("Location" = String), ("ETag" = String)))),
    security(("user" = []), ("bearer" = [])))]
#[post("/v1/enrollments/{enrollment_id}/modules/{module_key}/attempts")]
pub async fn create_attempt(
    caller: Caller<need::User>,
    state: Anyone,
    retry: Retry,
    path: web::Path<(Uuid, String)>,
    body: Body<AttemptIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let attempt = service::create(conn, ctx, path.0, &path.1)?;
        Ok(Answer::created(&format!("/v1/attempts/{}", attempt.id), &attempt)?.etag(attempt.version))
    })
    .await
}

/// List attempts
///
/// At one quiz, oldest first. Scope: `assessment:read`, with which clients need `enrollments:read`.
#[utoipa::path(tag = "quizzes", operation_id = "list_attempts", params(("enrollment_id" = Uuid, Path), ("module_key" = String, Path), AttemptQuery),
    responses((status = 200, description = "A page of attempts.", body = Page<AttemptOut>)),
    security(("user" = []), ("client" = ["assessment:read", "enrollments:read"]), ("bearer" = [])))]
#[get("/v1/enrollments/{enrollment_id}/modules/{module_key}/attempts")]
pub async fn list_attempts(
    caller: Caller<need::AssessmentRead>,
    state: Anyone,
    request: HttpRequest,
    path: web::Path<(Uuid, String)>,
    filter: Query<AttemptQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let ctx = caller.0;
    let rows = state.db.read(move |conn| service::list(conn, &ctx, path.0, &path.1, &page)).await?;
    Answer::page(rows, &request)
}

/// Read an attempt
///
/// While in progress with the answers given; when graded with what the quiz's review policy shows. Scope: `assessment:read`, with which clients need `enrollments:read`.
#[utoipa::path(tag = "quizzes", operation_id = "get_attempt", params(("attempt_id" = Uuid, Path)),
    responses((status = 200, description = "The attempt.", body = AttemptOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["assessment:read", "enrollments:read"]), ("bearer" = [])))]
#[get("/v1/attempts/{attempt_id}")]
pub async fn get_attempt(
    caller: Caller<need::AssessmentRead>,
    state: Anyone,
    conditions: Conditions,
    id: web::Path<Uuid>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let attempt = state.db.read(move |conn| service::get(conn, &ctx, *id)).await?;
    Ok(Answer::ok(&attempt)?.etag(attempt.version).unless_known(&conditions))
}

/// Answer an item
///
/// Saves one answer; it may be changed until the attempt is submitted. Null takes it back.
#[utoipa::path(tag = "quizzes", operation_id = "answer_item", params(("attempt_id" = Uuid, Path), ("item_key" = String, Path)),
    request_body = AnswerIn, responses((status = 200, description = "The attempt.", body = AttemptOut, headers(("ETag" = String)))),
    security(("user" = []), ("bearer" = [])))]
#[put("/v1/attempts/{attempt_id}/answers/{item_key}")]
pub async fn answer_item(
    caller: Caller<need::User>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    path: web::Path<(Uuid, String)>,
    body: Body<AnswerIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let attempt = service::answer(conn, ctx, path.0, &path.1, body.input.answer, &conditions)?;
        Ok(Answer::ok(&attempt)?.etag(attempt.version))
    })
    .await
}

/// Submit an attempt
///
/// Grades it and shows what it brought about: progress, next steps, the certificate. Submitting again answers the result again.
#[utoipa::path(tag = "quizzes", operation_id = "submit_attempt", params(("attempt_id" = Uuid, Path)),
    responses((status = 200, description = "The graded attempt.", body = SubmitOut, headers(("ETag" = String)))),
    security(("user" = []), ("bearer" = [])))]
#[post("/v1/attempts/{attempt_id}/submit")]
pub async fn submit_attempt(
    caller: Caller<need::User>,
    state: Anyone,
    retry: Retry,
    id: web::Path<Uuid>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        let outcome = service::submit(conn, ctx, *id)?;
        Ok(Answer::ok(&outcome)?.etag(outcome.attempt.version))
    })
    .await
}

/// Correct a grade
///
/// The points of items, or the score of the whole. What counts for the quiz, progress, mastery and what hung on them follow at once, also backwards: a completion that does not hold any more is taken back with its certificate. Scope: `assessment:write`. Role: admin or instructor.
#[utoipa::path(tag = "quizzes", operation_id = "correct_attempt", params(("attempt_id" = Uuid, Path)),
    request_body(content((CorrectIn = "application/merge-patch+json"), (CorrectIn = "application/json"))),
    responses((status = 200, description = "The corrected attempt and what it brought about.", body = SubmitOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["assessment:write"]), ("bearer" = [])))]
#[patch("/v1/attempts/{attempt_id}")]
pub async fn correct_attempt(
    caller: Caller<need::AssessmentWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    id: web::Path<Uuid>,
    body: Body<CorrectIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let outcome = correcting::correct(conn, ctx, *id, body.input, &conditions)?;
        Ok(Answer::ok(&outcome)?.etag(outcome.attempt.version))
    })
    .await
}

/// Delete an attempt
///
/// As if it had never been: it counts no more, the learner may take it again, and what it proved is gone, with what hung on it. Scope: `assessment:write`. Role: admin or instructor.
#[utoipa::path(tag = "quizzes", operation_id = "delete_attempt", params(("attempt_id" = Uuid, Path)),
    responses((status = 204, description = "Gone.")),
    security(("user" = []), ("client" = ["assessment:write"]), ("bearer" = [])))]
#[delete("/v1/attempts/{attempt_id}")]
pub async fn delete_attempt(
    caller: Caller<need::AssessmentWrite>,
    state: Anyone,
    retry: Retry,
    conditions: Conditions,
    id: web::Path<Uuid>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &web::Bytes::new(), move |conn, ctx| {
        correcting::delete(conn, ctx, *id, &conditions)?;
        Ok(Answer::no_content())
    })
    .await
}
