//! SCIM 2.0 (RFC 7643, 7644, 9865): identity providers keep users and groups current. The rules are in `domain::scim`; what follows
//! from a write is done by the areas of users and groups, as for every other way in.
//!
//! A deleted user has left: they are not there over SCIM any more, and whoever is made again with the same `externalId` or `userName`
//! is the same person, who comes back with all history.

mod access;
mod bulk;
mod discovery;
pub mod dto;
mod fault;
mod groups;
mod keeping;
mod listing;
mod routes;
mod store;
mod users;
mod view;
mod write;

use crate::http::routes::Routes;

use crate::state::State;

/// Where SCIM is spoken.
fn base(state: &State) -> String {
    format!("{}/scim/v2", state.public_url)
}

/// Registers the area's operations.
pub fn register(config: &mut Routes<'_, '_>) {
    config
        .service(routes::search::list_scim_resources)
        .service(routes::search::search_scim_resources)
        .service(routes::search::search_scim_users)
        .service(routes::search::search_scim_groups)
        .service(routes::users::list_scim_users)
        .service(routes::users::create_scim_user)
        .service(routes::users::get_scim_user)
        .service(routes::users::replace_scim_user)
        .service(routes::users::update_scim_user)
        .service(routes::users::delete_scim_user)
        .service(routes::groups::list_scim_groups)
        .service(routes::groups::create_scim_group)
        .service(routes::groups::get_scim_group)
        .service(routes::groups::replace_scim_group)
        .service(routes::groups::update_scim_group)
        .service(routes::groups::delete_scim_group)
        .service(routes::bulk::write_scim_bulk)
        .service(routes::me::get_scim_me)
        .service(routes::me::replace_scim_me)
        .service(routes::me::update_scim_me)
        .service(routes::discovery::get_scim_config)
        .service(routes::discovery::list_scim_resource_types)
        .service(routes::discovery::get_scim_resource_type)
        .service(routes::discovery::list_scim_schemas)
        .service(routes::discovery::get_scim_schema);
}
