//! `POST /scim/v2/Bulk`.

use actix_web::post;

use super::body::ScimBody;
use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::AppResult;
use crate::features::scim::bulk;
use crate::features::scim::dto::{ScimBulk, ScimBulkOut};
use crate::http::{Answer, Retry};

/// Write many resources over SCIM
///
/// Up to 1,000 operations, each in a transaction of its own. `bulkId:<id>` stands for the id of what another operation of the request
/// makes, wherever that stands in the list. A retry with the same key does only what was not done. Scope: `scim`. Role: admin.
#[utoipa::path(tag = "scim", operation_id = "write_scim_bulk",
    request_body(content((ScimBulk = "application/scim+json"), (ScimBulk = "application/json"))),
    responses((status = 200, description = "How each operation fared, in the order given.", body = ScimBulkOut, content_type = "application/scim+json")),
    security(("user" = []), ("client" = ["scim"]), ("bearer" = [])))]
#[post("/scim/v2/Bulk")]
pub async fn write_scim_bulk(
    caller: Caller<need::Scim>,
    state: Anyone,
    retry: Retry,
    body: ScimBody,
) -> AppResult<Answer> {
    Answer::scim(200, &bulk::run(&state, &caller, &retry, &body.members).await?)
}
