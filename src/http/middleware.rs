//! The outermost layer: request ids, problem documents, metrics, the access log.

use std::time::Instant;

use actix_cors::CorsError;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, web};

use super::scim;
use crate::auth::caller::RequestId;
use crate::auth::limits;
use crate::clock;
use crate::error::{AppError, Code};
use crate::http::strict;
use crate::state::State;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// Takes the caller's request id when it is printable and short, makes one otherwise.
fn request_id(request: &ServiceRequest) -> String {
    let given = request.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    match given {
        Some(id) if !id.is_empty() && id.len() <= 128 && id.bytes().all(|b| b.is_ascii_graphic()) => id.to_owned(),
        _ => {
            let now = request.app_data::<web::Data<State>>().map(|state| state.clock.now()).unwrap_or_default();
            clock::new_id(now).to_string()
        }
    }
}

/// Wraps every request.
///
/// # Errors
/// Never: errors have become answers.
pub async fn edge(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let id = request_id(&request);
    request.extensions_mut().insert(RequestId(id.clone()));
    let head = request.method() == Method::HEAD;
    if head {
        // A HEAD is a GET whose body is not sent; actix's encoder leaves it out by the method that it has read.
        request.head_mut().method = Method::GET;
    }
    let trace = request.headers().get(&TRACE_PARENT).cloned();
    let method = request.method().clone();
    let counted = match request.app_data::<web::Data<State>>() {
        Some(state) => limits::count_address(request.request(), state),
        None => Ok(()),
    };
    let counted = match counted {
        Ok(()) => strict::check(&mut request).await,
        Err(error) => Err(error),
    };
    let mut response = match counted {
        Ok(()) => match next.call(request).await {
            Ok(response) => render(response.map_into_boxed_body(), &id),
            Err(error) => return Err(error),
        },
        Err(error) => render(request.into_response(error.into_response()), &id),
    };
    let told = response.request().extensions().get::<limits::Told>().copied();
    if let Some(told) = told.filter(|_| !response.headers().contains_key("ratelimit")) {
        told.write(response.headers_mut());
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    if let Some(trace) = &trace {
        response.headers_mut().insert(TRACE_PARENT, trace.clone());
    }
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    account(&response, &method, &id, trace.as_ref(), started);
    Ok(response)
}

/// Writes the problem document of an error (RFC 9457), now that the request id is known; SCIM has a form of its own.
fn render(response: ServiceResponse<BoxBody>, id: &str) -> ServiceResponse<BoxBody> {
    let error = response.response().error().and_then(|e| e.as_error::<AppError>()).cloned();
    let error = error.or_else(|| response.response().extensions().get::<AppError>().cloned());
    let error = error.or_else(|| response.response().error().and_then(|e| e.as_error::<CorsError>()).map(cors));
    let Some(error) = error else { return response };
    if let Some(cause) = error.cause() {
        if error.code().status() >= 500 {
            log::error!("{id} {}: {cause}", error.code().as_str());
        } else {
            log::debug!("{id} {}: {cause}", error.code().as_str());
        }
    }
    let (request, old) = response.into_parts();
    let (status, media_type, body) = if scim::speaks_at(request.path()) {
        (scim::status(&error), scim::MEDIA_TYPE, scim::error(&error))
    } else {
        let status = StatusCode::from_u16(error.code().status()).unwrap_or(old.status());
        (status, "application/problem+json", error.problem(id))
    };
    let body = serde_json::to_vec(&body).unwrap_or_default();
    let mut new = HttpResponse::build(status);
    for (name, value) in old.headers() {
        new.append_header((name, value));
    }
    new.insert_header((header::CONTENT_TYPE, media_type));
    ServiceResponse::new(request, new.body(body))
}

/// Why a browser may not call, as a problem like any other.
fn cors(error: &CorsError) -> AppError {
    match error {
        CorsError::OriginNotAllowed => AppError::new(
            Code::Forbidden,
            "Web pages of this origin may not call; the server's settings list those that may.",
        ),
        other => AppError::new(Code::Malformed, format!("The browser's question cannot be read: {other}.")),
    }
}

fn account(
    response: &ServiceResponse<BoxBody>,
    method: &Method,
    id: &str,
    trace: Option<&HeaderValue>,
    started: Instant,
) {
    let status = response.status().as_u16();
    let route = response.request().match_pattern().unwrap_or_else(|| "none".into());
    let seconds = started.elapsed().as_secs_f64();
    metrics::histogram!("cairn_http_request_seconds", "method" => method.to_string(), "route" => route, "status" => status.to_string())
        .record(seconds);
    if log::log_enabled!(target: "cairn::access", log::Level::Debug) {
        let path = response.request().path();
        let trace = trace.and_then(|t| t.to_str().ok()).unwrap_or("-");
        log::debug!(target: "cairn::access", "{id} {method} {path} {status} {:.1}ms traceparent={trace}", seconds * 1000.0);
    }
}
