//! What no route answers: 405 with `Allow` when the path exists, else 404.

use actix_web::{HttpRequest, HttpResponse, ResponseError, http::header};

use super::openapi;
use crate::error::{AppError, Code};

/// The default service.
pub async fn no_route(request: HttpRequest) -> HttpResponse {
    let allowed = openapi::methods_at(request.path());
    if allowed.is_empty() {
        return AppError::new(Code::NotFound, "There is nothing at this path. GET /openapi.json lists all paths.")
            .error_response();
    }
    AppError::new(Code::MethodNotAllowed, format!("This path takes {}.", allowed.join(", ")))
        .with_header(header::ALLOW, allowed.join(", "))
        .error_response()
}
