//! Users: the people. `users.email_key` (lower case) and `external_id` are unique; a user who left is kept.

mod bulk;
pub mod dto;
pub mod mass;
mod reports;
mod roles;
mod routes;
pub mod service;
mod store;

use crate::http::routes::Routes;

pub use roles::keep_an_admin;
pub use service::{
    any_but_one, create, ensure_admin, find, find_for, first_admin, has_reports, id_of, is_below, names, reach_for,
    relate,
};

pub use store::{UserRow, managers_above};

/// Registers the area's operations.
pub fn register(config: &mut Routes<'_, '_>) {
    config
        .service(routes::user::create_user)
        .service(routes::user::list_users)
        .service(routes::user::get_user)
        .service(routes::user::update_user)
        .service(routes::user::unlock_user)
        .service(routes::bulk::write_users_in_bulk)
        .service(routes::role::list_user_roles)
        .service(routes::role::grant_role)
        .service(routes::role::revoke_role)
        .service(routes::report::list_reports)
        .service(routes::user::get_me)
        .service(routes::user::update_me);
}
