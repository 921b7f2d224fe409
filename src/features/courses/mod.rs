//! Courses: what authors write. A draft is edited freely; publishing makes an immutable, numbered revision of it.

pub mod dto;
mod outline;
mod routes;
pub mod service;
mod staff;
mod store;

use crate::http::routes::Routes;

pub use outline::{compile_revision, outline_of, publish, replace as replace_outline};
pub use service::{any, create, find, id_of, ids_of, relation, revision, row, rows};
pub use store::CourseRow;

/// Registers the area's operations.
pub fn register(config: &mut Routes<'_, '_>) {
    config
        .service(routes::course::create_course)
        .service(routes::course::list_courses)
        .service(routes::course::get_course)
        .service(routes::course::update_course)
        .service(routes::course::duplicate_course)
        .service(routes::course::archive_course)
        .service(routes::course::restore_course)
        .service(routes::outline::get_outline)
        .service(routes::outline::replace_outline)
        .service(routes::outline::get_module)
        .service(routes::outline::update_module)
        .service(routes::outline::lint_course)
        .service(routes::outline::publish_course)
        .service(routes::outline::list_revisions)
        .service(routes::outline::get_revision)
        .service(routes::outline::simulate_course)
        .service(routes::staff::list_staff)
        .service(routes::staff::set_staff_member)
        .service(routes::staff::remove_staff_member);
}
