//! Machine clients and their tokens: OAuth 2 client credentials (RFC 6749 §4.4) by secret.

mod dto;
mod routes;
mod service;
mod store;

use utoipa_actix_web::service_config::ServiceConfig;

/// Registers the area's operations.
pub fn register(config: &mut ServiceConfig<'_>) {
    config
        .service(routes::create_client)
        .service(routes::list_clients)
        .service(routes::get_client)
        .service(routes::update_client)
        .service(routes::delete_client)
        .service(routes::create_token)
        .service(routes::get_jwks)
        .service(routes::get_authorization_server);
}
