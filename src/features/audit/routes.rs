//! `/v1/audit`.

use actix_web::{Either, HttpRequest, HttpResponse, get, http::header, web};
use futures_util::stream::{self, Stream, StreamExt};

use super::dto::{AuditEntry, AuditQuery};
use super::service::{self, Format};
use crate::auth::caller::need;
use crate::auth::{Anyone, Caller};
use crate::error::{AppError, AppResult};
use crate::http::answer::Page;
use crate::http::{Answer, Query, query};
use crate::state::State;

/// Read the audit log
///
/// Who did what as whom, newest first: changes, log-ins and failed ones (`session.created`, `session.failed`), tokens given out
/// (`client.token_issued`, `client.acted_as`), roles. With `Accept: text/csv` or `application/x-ndjson` all that fits the filters comes
/// as one stream, without pages. Role: admin.
#[utoipa::path(tag = "operation", operation_id = "list_audit", params(AuditQuery),
    responses((status = 200, description = "A page of entries, or all as a stream.",
        content((Page<AuditEntry> = "application/json"), (String = "text/csv"), (String = "application/x-ndjson")))),
    security(("user" = []), ("bearer" = [])))]
#[get("/v1/audit")]
pub async fn list_audit(
    caller: Caller<need::User>,
    state: Anyone,
    request: HttpRequest,
    filter: Query<AuditQuery>,
) -> AppResult<Either<Answer, HttpResponse>> {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let page = query::page(filter.0.limit, filter.0.after.as_deref())?;
    let format = if accept.contains("text/csv") {
        Format::Csv
    } else if accept.contains("application/x-ndjson") {
        Format::Ndjson
    } else {
        let ctx = caller.0;
        let rows = state.db.read(move |conn| service::list(conn, &ctx, filter.0, &page)).await?;
        return Answer::page(rows, &request).map(Either::Left);
    };
    service::authorise(&caller)?;
    let media_type =
        if format == Format::Csv { "text/csv; charset=utf-8; header=present" } else { "application/x-ndjson" };
    let name = if format == Format::Csv { "audit.csv" } else { "audit.ndjson" };
    Ok(Either::Right(
        HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, media_type))
            .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
            .streaming(export(state.get_ref().clone(), filter.0, page.after, format)),
    ))
}

/// The export, piece by piece: memory does not grow with it.
fn export(
    state: State,
    filter: AuditQuery,
    after: Option<uuid::Uuid>,
    format: Format,
) -> impl Stream<Item = Result<web::Bytes, AppError>> {
    let header = if format == Format::Csv { service::HEADER } else { "" };
    let pieces = stream::try_unfold(after, move |after| {
        let (state, filter) = (state.clone(), filter.clone());
        async move {
            let next = state.db.read_slow(move |conn| service::piece(conn, &filter, after, format)).await?;
            Ok(next.map(|(text, last)| (web::Bytes::from(text), Some(last))))
        }
    });
    stream::iter(Some(Ok(web::Bytes::from_static(header.as_bytes()))).filter(|_| !header.is_empty())).chain(pieces)
}
