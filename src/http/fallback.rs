//! What no route answers: 405 with `Allow` when the path exists, else 404.

use actix_web::{HttpRequest, HttpResponse, ResponseError, http::header};

use super::openapi;
use crate::error::{AppError, Code};

/// The default service.
pub async fn no_route(request: HttpRequest) -> HttpResponse {
    let allowed = openapi::methods_at(request.path());
    // A path that only looks like one of ours, such as `//v1/users`, is none of ours for any method.
    if allowed.is_empty() || allowed.iter().any(|method| method == request.method().as_str()) {
        return AppError::new(Code::NotFound, "There is nothing at this path. GET /openapi.json lists all paths.")
            .error_response();
    }
    AppError::new(Code::MethodNotAllowed, format!("This path takes {}.", allowed.join(", ")))
        .with_header(header::ALLOW, allowed.join(", "))
        .error_response()
}
