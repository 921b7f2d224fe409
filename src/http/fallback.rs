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
    not_allowed(&allowed).error_response()
}

fn not_allowed(allowed: &[String]) -> AppError {
    AppError::new(Code::MethodNotAllowed, format!("This path takes {}.", allowed.join(", ")))
        .with_header(header::ALLOW, allowed.join(", "))
}

/// What is answered when a part of the path is no id: a path that is written out (`/v1/users/bulk`) may have come here by a method
/// that it does not take.
#[must_use]
pub fn bad_path(request: &HttpRequest) -> AppError {
    let allowed = openapi::methods_at(request.path());
    if allowed.is_empty() || allowed.iter().any(|method| method == request.method().as_str()) {
        AppError::not_found("resource")
    } else {
        not_allowed(&allowed)
    }
}
