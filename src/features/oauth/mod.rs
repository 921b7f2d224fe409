//! The authorization server: tokens for machine clients (RFC 6749 §4.4, RFC 7523), token exchange (RFC 8693), introspection
//! (RFC 7662), revocation (RFC 7009), metadata (RFC 8414). Access tokens are JWTs (RFC 9068).

mod authenticate;
mod dto;
mod exchange;
mod routes;
mod service;
mod store;

use crate::http::routes::Routes;

pub use service::forget_expired;

/// Registers the area's operations.
pub fn register(config: &mut Routes<'_, '_>) {
    config
        .service(routes::create_token)
        .service(routes::introspect_token)
        .service(routes::revoke_token)
        .service(routes::get_jwks)
        .service(routes::get_authorization_server);
}
