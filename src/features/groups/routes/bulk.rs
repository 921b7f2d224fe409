//! `/v1/groups/bulk`.

use actix_web::post;

use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::features::groups::bulk as service;
use crate::features::groups::dto::GroupBulkIn;
use crate::http::bulk::{BulkOut, BulkQuery};
use crate::http::{Answer, Body, Query, Retry, commit};

/// Write many groups
///
/// Up to 1,000 groups, each with a verdict of its own. A unit's parent may stand earlier in the list, so a whole tree fits in one call. With mode `upsert` a group with the same `external_id` gets the new name and condition. With `?dry_run=true` nothing is written. Scope: `groups:write`. Role: admin, also of a unit.
#[utoipa::path(tag = "people", operation_id = "write_groups_in_bulk", params(BulkQuery), request_body = GroupBulkIn,
    responses((status = 200, description = "The verdicts, in the order of the items.", body = BulkOut)),
    security(("user" = []), ("client" = ["groups:write"]), ("bearer" = [])))]
#[post("/v1/groups/bulk")]
pub async fn write_groups_in_bulk(
    caller: Caller<need::GroupsWrite>,
    state: Anyone,
    retry: Retry,
    options: Query<BulkQuery>,
    body: Body<GroupBulkIn>,
) -> AppResult<Answer> {
    let dry_run = options.0.dry_run.unwrap_or(false);
    commit(&state, &caller, retry, &body.raw, move |conn, ctx| {
        Answer::ok(&service::write(conn, ctx, body.input, dry_run)?)
    })
    .await
}
