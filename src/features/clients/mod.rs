//! Machine clients: what they may do, and the secrets and keys by which they prove who they are.

pub mod dto;
mod routes;
mod service;
mod store;

use crate::http::routes::Routes;

/// Registers the area's operations.
pub fn register(config: &mut Routes<'_, '_>) {
    config
        .service(routes::create_client)
        .service(routes::list_clients)
        .service(routes::get_client)
        .service(routes::update_client)
        .service(routes::delete_client)
        .service(routes::create_client_secret)
        .service(routes::delete_client_secret);
}
