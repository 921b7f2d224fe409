//! Users: the people. `users.email_key` (lower case) and `external_id` are unique; a user who left is kept.

pub mod dto;
mod routes;
pub mod service;
mod store;

use utoipa_actix_web::service_config::ServiceConfig;

pub use service::{any_but_one, create, ensure_admin, find, is_below};

/// Registers the area's operations.
pub fn register(config: &mut ServiceConfig<'_>) {
    config
        .service(routes::create_user)
        .service(routes::list_users)
        .service(routes::get_user)
        .service(routes::update_user)
        .service(routes::unlock_user)
        .service(routes::get_me)
        .service(routes::update_me);
}
