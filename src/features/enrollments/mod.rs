//! Enrollments: a learner in a course, pinned to a revision, and everything they do in it.
//!
//! `service` moves enrollments through their life (seats, waitlist, approval); `state` loads and stores the facts of the path;
//! `proving` writes what work proves; `learning` applies what learners do; `reading` answers where they stand.

mod bulk;
pub mod dto;
mod following;
mod learning;
mod mass;
mod proving;
mod reading;
mod routes;
mod service;
pub mod state;
mod store;

use crate::http::routes::Routes;

pub use following::CONSUMER;
pub use learning::{choose, grant, record, refused};
pub use mass::{Enrolled, Source, Wanted, enroll_many, promote_waiting, withdraw_groups};
pub use proving::refresh;
pub use reading::next;
pub use service::{approve, enroll, expire_due, reject, withdraw};
pub use store::{EnrollmentRow, completed_by_staff, learns};

/// Registers the area's operations.
pub fn register(config: &mut Routes<'_, '_>) {
    config
        .service(routes::learning::record_events)
        .service(routes::reading::get_path)
        .service(routes::reading::get_next)
        .service(routes::reading::get_enrolled_module)
        .service(routes::reading::explain_module)
        .service(routes::bulk::enroll_in_bulk)
        .service(routes::enrollment::get_enrollment)
        .service(routes::enrollment::list_enrollments)
        .service(routes::enrollment::create_enrollment)
        .service(routes::enrollment::list_course_enrollments)
        .service(routes::enrollment::approve_enrollment)
        .service(routes::enrollment::reject_enrollment)
        .service(routes::enrollment::withdraw_enrollment)
        .service(routes::learning::complete_module)
        .service(routes::learning::choose_branch)
        .service(routes::learning::grant_override)
        .service(routes::learning::upgrade_enrollment);
}
