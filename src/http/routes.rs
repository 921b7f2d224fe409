//! How an area registers its operations: once for each HTTP thread, to serve them, and once to describe them.
//!
//! Describing them makes the whole OpenAPI document, which a server that serves the committed one need not do for each of its threads.
//!
//! Actix tries one route after the other, each with a regular expression. Each served operation therefore stands behind a guard that
//! compares the method and the parts of the path that are written out; only where all are right is the expression used, to read the
//! parameters. They are tried in the order of registration, as without guards.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::dev::HttpServiceFactory;
use actix_web::guard::GuardContext;
use actix_web::http::Method;
use actix_web::web;
use utoipa::openapi::path::PathItem;
use utoipa_actix_web::OpenApiFactory;
use utoipa_actix_web::service_config::ServiceConfig;

/// Where operations are registered.
pub enum Routes<'a, 'b> {
    /// At a server.
    Served(Served<'a>),
    /// In the document.
    Described(&'a mut ServiceConfig<'b>),
}

impl Routes<'_, '_> {
    /// Registers an operation.
    pub fn service<F: HttpServiceFactory + OpenApiFactory + 'static>(&mut self, operation: F) -> &mut Self {
        match self {
            Self::Served(served) => served.add(operation),
            Self::Described(config) => drop(config.service(operation)),
        }
        self
    }
}

/// The server's side of a registration.
pub struct Served<'a>(pub &'a mut web::ServiceConfig);

impl Served<'_> {
    fn add<F: HttpServiceFactory + OpenApiFactory + 'static>(&mut self, operation: F) {
        let door = door_of(&operation);
        self.0.service(web::scope("").guard(move |request: &GuardContext<'_>| door.opens(request)).service(operation));
    }
}

/// What a request must be for an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Door {
    method: Method,
    /// The parts of the path; none for a parameter.
    parts: Arc<[Option<String>]>,
}

impl Door {
    fn of(method: Method, path: &str) -> Self {
        let part = |part: &str| (!part.starts_with('{')).then(|| part.to_owned());
        Self { method, parts: path.split('/').skip(1).map(part).collect() }
    }

    fn opens(&self, request: &GuardContext<'_>) -> bool {
        let head = request.head();
        if head.method != self.method {
            return false;
        }
        let mut given = head.uri.path().split('/').skip(1);
        self.parts.iter().all(|own| match (own, given.next()) {
            (Some(own), Some(given)) => own == given,
            (None, Some(given)) => !given.is_empty(),
            (_, None) => false,
        }) && given.next().is_none()
    }
}

/// Doors by the type of the operation: to ask an operation for its path means to describe it, which is done once for all threads.
static KNOWN: Mutex<Option<HashMap<TypeId, Door>>> = Mutex::new(None);

fn door_of<F: OpenApiFactory + 'static>(operation: &F) -> Door {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let make = || {
        let paths = operation.paths().paths;
        let (path, item) = paths.first_key_value().map(|(path, item)| (path.as_str(), item)).unzip();
        Door::of(item.map(method_of).unwrap_or_default(), path.unwrap_or_default())
    };
    known.get_or_insert_default().entry(TypeId::of::<F>()).or_insert_with(make).clone()
}

fn method_of(item: &PathItem) -> Method {
    let methods = [
        (item.post.is_some(), Method::POST),
        (item.put.is_some(), Method::PUT),
        (item.patch.is_some(), Method::PATCH),
        (item.delete.is_some(), Method::DELETE),
    ];
    methods.into_iter().find_map(|(has, method)| has.then_some(method)).unwrap_or(Method::GET)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn a_door_opens_for_its_method_and_path() {
        let door = Door::of(Method::GET, "/v1/users/{user_id}/reports");
        let opens = |request: TestRequest| door.opens(&request.to_srv_request().guard_ctx());
        assert!(opens(TestRequest::get().uri("/v1/users/0/reports?fields=email/x")));
        for path in [
            "/v1/users/0",
            "/v1/users-of/0/reports",
            "/v1/users//reports",
            "/v1/users/0/reports/",
            "/v1/users/0/reports/1",
        ] {
            assert!(!opens(TestRequest::get().uri(path)), "{path}");
        }
        assert!(!opens(TestRequest::post().uri("/v1/users/0/reports")));
    }
}
