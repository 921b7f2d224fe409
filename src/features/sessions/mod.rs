//! Log-in with e-mail and password: a session is one family of rotating refresh tokens.
//!
//! Every refresh uses up its token and gives a new one. A used token that comes again was stolen or copied, so it ends the
//! whole session (RFC 9700 §4.14.2).

mod dto;
pub mod proving;
mod routes;
mod service;
mod store;

use crate::http::routes::Routes;

pub use service::{account_key, forget_expired};
pub use store::forget_failures;

/// Registers the area's operations.
pub fn register(config: &mut Routes<'_, '_>) {
    config
        .service(routes::create_session)
        .service(routes::refresh_session)
        .service(routes::end_session)
        .service(routes::docs_token);
}
