//! The audit log: who did what as whom, read from the event log, newest first.

mod dto;
mod routes;
mod service;
mod store;

use crate::http::routes::Routes;

/// Registers the area's operations.
pub fn register(config: &mut Routes<'_, '_>) {
    config.service(routes::list_audit);
}
