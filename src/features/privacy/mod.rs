//! Personal data: what is held on a person (GDPR article 15), and its erasure (article 17). Statistics stay, nameless.

mod dto;
mod routes;
mod service;
mod store;

use crate::http::routes::Routes;

/// Registers the area's operations.
pub fn register(config: &mut Routes<'_, '_>) {
    config.service(routes::export_user).service(routes::erase_user);
}
