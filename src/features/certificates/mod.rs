//! Certificates: issued in the transaction that completes the course, listed, verifiable by anyone who has the serial.

mod dto;
mod routes;
mod service;
mod store;

use crate::http::routes::Routes;

pub use service::{issue_on_completion, withdraw};
pub use store::valid_id_of;

/// Registers the area's operations.
pub fn register(config: &mut Routes<'_, '_>) {
    config
        .service(routes::list_certificates)
        .service(routes::get_certificate)
        .service(routes::revoke_certificate)
        .service(routes::verify_certificate);
}
