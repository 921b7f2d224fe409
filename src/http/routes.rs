//! How an area registers its operations: once for each HTTP thread, to serve them, and once to describe them.
//!
//! Describing them makes the whole OpenAPI document, which a server that serves the committed one need not do for each of its threads.

use actix_web::dev::HttpServiceFactory;
use actix_web::web;
use utoipa_actix_web::OpenApiFactory;
use utoipa_actix_web::service_config::ServiceConfig;

/// Where operations are registered.
pub enum Routes<'a, 'b> {
    /// At a server.
    Served(&'a mut web::ServiceConfig),
    /// In the document.
    Described(&'a mut ServiceConfig<'b>),
}

impl Routes<'_, '_> {
    /// Registers an operation.
    pub fn service<F: HttpServiceFactory + OpenApiFactory + 'static>(&mut self, operation: F) -> &mut Self {
        match self {
            Self::Served(config) => drop(config.service(operation)),
            Self::Described(config) => drop(config.service(operation)),
        }
        self
    }
}
