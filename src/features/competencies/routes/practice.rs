//! `/v1/enrollments/{enrollment_id}/practice`.

use actix_web::{get, post, web};
use uuid::Uuid;

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::features::competencies::dto::{PracticeIn, PracticeOut, PracticeQuery, PracticeResult};
use crate::features::competencies::service::practice as service;
use crate::http::{Answer, Body, Query, Retry, commit};

/// Get an item to practise
///
/// Of open quizzes that allow practice and are not being attempted, among the items seen least, the one whose estimated chance of a right answer is nearest to 75 %. Ability and difficulty are estimated with the Elo rating system (Pelánek 2016, Computers & Education 98, 169–179).
#[utoipa::path(tag = "competencies", operation_id = "get_practice_item", params(("enrollment_id" = Uuid, Path), PracticeQuery),
    responses((status = 200, description = "The item; null when there is none.", body = PracticeOut)),
    security(("user" = []), ("bearer" = [])))]
#[get("/v1/enrollments/{enrollment_id}/practice")]
pub async fn get_practice_item(
    caller: Caller<need::User>,
    state: Anyone,
    path: web::Path<Uuid>,
    filter: Query<PracticeQuery>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let found = state.db.read(move |conn| service::next(conn, &ctx, *path, &filter.0)).await?;
    Answer::ok(&found)
}

/// Answer an item in practice
///
/// Moves the estimates of ability and difficulty and nothing else: no attempt, no progress, no evidence. Only by the learner, and not while an attempt at the quiz is running (409).
#[utoipa::path(tag = "competencies", operation_id = "answer_practice_item", params(("enrollment_id" = Uuid, Path)),
    request_body = PracticeIn,
    responses((status = 200, description = "What it came to, and the next item.", body = PracticeResult)),
    security(("user" = []), ("bearer" = [])))]
#[post("/v1/enrollments/{enrollment_id}/practice")]
pub async fn answer_practice_item(
    caller: Caller<need::User>,
    state: Anyone,
    retry: Retry,
    path: web::Path<Uuid>,
    body: Body<PracticeIn>,
) -> AppResult<Answer> {
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        let made = service::answer(conn, ctx, *path, body.input)?;
        Answer::ok(&made)
    })
    .await
}
