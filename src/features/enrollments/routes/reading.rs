//! Where a learner stands.

use actix_web::{get, web};
use uuid::Uuid;

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::domain::path::Access;
use crate::error::AppResult;
use crate::features::enrollments::dto::{AsOf, ModuleOut, NextOut, PathOut};
use crate::features::enrollments::reading::{self as service, PathText};
use crate::http::{Answer, Conditions, Query};

/// Read the path
///
/// Every module with its state, and for everything locked why, what opens it, and when it opens by itself. `as_of` shows a past instant: status, revision, progress, choices, attempts and exceptions, and of what conditions ask about the learner mastery, courses and certificates, are those of then. Profile attributes, groups, badges, points, levels, due dates, and the dates of the enrollment and its cohort are as of today, since their history is not kept; a grade that was corrected counts as corrected. Scope: `enrollments:read`.
#[utoipa::path(tag = "learning", operation_id = "get_path", params(("enrollment_id" = Uuid, Path), AsOf),
    responses((status = 200, description = "The path.", body = PathOut, headers(("ETag" = String)))),
    security(("user" = []), ("client" = ["enrollments:read"]), ("bearer" = [])))]
#[get("/v1/enrollments/{enrollment_id}/path")]
pub async fn get_path(
    caller: Caller<need::EnrollmentsRead>,
    state: Anyone,
    conditions: Conditions,
    id: web::Path<Uuid>,
    when: Query<AsOf>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let known = conditions.clone();
    let path = state.db.read(move |conn| service::path_json(conn, &ctx, *id, when.0.as_of, &known)).await?;
    Ok(match path {
        PathText::Known(tag) => Answer::not_modified(&tag),
        PathText::Json(json, tag) => Answer::json_text(json).etag_or_body(tag).unless_known(&conditions),
    })
}

/// Read the next steps
///
/// In order, each with its reason. Scope: `enrollments:read`.
#[utoipa::path(tag = "learning", operation_id = "get_next", params(("enrollment_id" = Uuid, Path)),
    responses((status = 200, description = "The steps.", body = NextOut)),
    security(("user" = []), ("client" = ["enrollments:read"]), ("bearer" = [])))]
#[get("/v1/enrollments/{enrollment_id}/next")]
pub async fn get_next(caller: Caller<need::EnrollmentsRead>, state: Anyone, id: web::Path<Uuid>) -> AppResult<Answer> {
    let ctx = caller.0;
    let next = state.db.read(move |conn| service::next(conn, &ctx, *id)).await?;
    Answer::ok(&next)
}

/// Read a module's content
///
/// 403 with `reasons`, `actions` and `opens_at` while it is locked for the learner. Scope: `enrollments:read`.
#[utoipa::path(tag = "learning", operation_id = "get_enrolled_module", params(("enrollment_id" = Uuid, Path), ("module_key" = String, Path)),
    responses((status = 200, description = "The module.", body = ModuleOut)),
    security(("user" = []), ("client" = ["enrollments:read"]), ("bearer" = [])))]
#[get("/v1/enrollments/{enrollment_id}/modules/{module_key}")]
pub async fn get_enrolled_module(
    caller: Caller<need::EnrollmentsRead>,
    state: Anyone,
    path: web::Path<(Uuid, String)>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let module = state.db.read(move |conn| service::module(conn, &ctx, path.0, &path.1)).await?;
    Answer::ok(&module)
}

/// Explain a module's access
///
/// How it stands, and when it is not open, why, what opens it, and when it opens by itself. `as_of` shows a past instant, as for the path. Scope: `enrollments:read`.
#[utoipa::path(tag = "learning", operation_id = "explain_module", params(("enrollment_id" = Uuid, Path), ("module_key" = String, Path), AsOf),
    responses((status = 200, description = "The explanation.", body = Access)),
    security(("user" = []), ("client" = ["enrollments:read"]), ("bearer" = [])))]
#[get("/v1/enrollments/{enrollment_id}/modules/{module_key}/access")]
pub async fn explain_module(
    caller: Caller<need::EnrollmentsRead>,
    state: Anyone,
    path: web::Path<(Uuid, String)>,
    when: Query<AsOf>,
) -> AppResult<Answer> {
    let ctx = caller.0;
    let access = state.db.read(move |conn| service::explain(conn, &ctx, path.0, &path.1, when.0.as_of)).await?;
    Answer::ok(&access)
}
