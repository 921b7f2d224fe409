//! Groups: static ones, dynamic ones whose members follow from a condition, and the tree of organisational units.
//!
//! `service` keeps groups and the tree; `members` puts people in and out, and `flow` does what follows from that: events, and the
//! courses assigned to the group; `dynamic` keeps dynamic groups current; `assignments` assigns courses; `moving` does what follows for
//! courses when units move in the tree; `bulk` takes many at once.
//! `group_paths` holds each group with itself and all units above, so that "with all below" is one join.

pub mod assignments;
pub mod bulk;
pub mod dto;
pub mod dynamic;
pub mod flow;
pub mod members;
pub mod moving;
mod routes;
pub mod service;
mod store;

use crate::http::routes::Routes;

pub use assignments::enroll_members;
pub use dynamic::{evaluate_group, refresh};
pub use moving::follow_move;
pub use service::{find, find_for, id_of};
pub use store::GroupRow;

/// Registers the area's operations.
pub fn register(config: &mut Routes<'_, '_>) {
    config
        .service(routes::bulk::write_groups_in_bulk)
        .service(routes::group::create_group)
        .service(routes::group::list_groups)
        .service(routes::group::get_group)
        .service(routes::group::update_group)
        .service(routes::group::delete_group)
        .service(routes::member::add_group_member)
        .service(routes::member::remove_group_member)
        .service(routes::member::list_group_members)
        .service(routes::member::list_user_groups)
        .service(routes::assignment::assign_group)
        .service(routes::assignment::get_group_assignment)
        .service(routes::assignment::list_group_assignments)
        .service(routes::assignment::unassign_group);
}
