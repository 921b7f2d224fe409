//! `/v1/users/{user_id}/reports`.

use actix_web::{HttpRequest, get, web};

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::features::users::dto::{ReportQuery, UserOut};
use crate::features::users::reports as service;
use crate::http::answer::Page;
use crate::http::{Answer, Query, Ref, query};

/// List who reports to a user
///
/// Directly, or with `depth=all` everybody below, however deep. For the manager, the managers above, and admins; who administers units only sees those of their people. Scope: `users:read`.
#[utoipa::path(tag = "people", operation_id = "list_reports", params(("user_id" = String, Path, description = "Id or `ext:<external_id>`."), ReportQuery),
    responses((status = 200, description = "A page of users, in order of making.", body = Page<UserOut>)),
    security(("user" = []), ("client" = ["users:read"]), ("bearer" = [])))]
#[get("/v1/users/{user_id}/reports")]
pub async fn list_reports(
    caller: Caller<need::UsersRead>,
    state: Anyone,
    request: HttpRequest,
    user_id: web::Path<Ref>,
    filter: Query<ReportQuery>,
) -> AppResult<Answer> {
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let depth = filter.0.depth.unwrap_or_default();
    let ctx = caller.0;
    let rows = state.db.read(move |conn| service::list(conn, &ctx, &user_id, depth, &page)).await?;
    Answer::page(rows, &request)
}
