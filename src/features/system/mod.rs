//! Operation: health, readiness, metrics, the sandbox clock, the API's own document.

mod routes;
mod service;
mod store;

use crate::http::routes::Routes;

pub use service::{follow_clock, restore_clock};

/// Registers the area's operations.
pub fn register(config: &mut Routes<'_, '_>) {
    config
        .service(routes::get_health)
        .service(routes::get_readiness)
        .service(routes::get_metrics)
        .service(routes::get_openapi)
        .service(routes::set_clock);
}
