//! The audit log: who did what as whom, read from the event log, newest first.

mod dto;
mod routes;
mod service;
mod store;

use utoipa_actix_web::service_config::ServiceConfig;

/// Registers the area's operations.
pub fn register(config: &mut ServiceConfig<'_>) {
    config.service(routes::list_audit);
}
