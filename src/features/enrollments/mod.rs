//! Enrollments: a learner in a course, pinned to a revision, and everything they do in it.
//!
//! `service` moves enrollments through their life (approval, withdrawal), `seats` fills those that are free; `loading` loads
//! the facts of the path, and `state` stores them; `proving` writes what work proves; `settling` brings along what is stored when facts change
//! elsewhere, `turning` when time passes; `learning` applies what learners do; `reading` answers where they stand.

mod bulk;
pub mod dto;
mod learning;
mod loading;
mod mass;
mod proving;
mod reading;
mod routes;
mod seats;
mod service;
mod settling;
pub mod state;
mod store;
mod turning;

use crate::http::routes::Routes;

pub use learning::{choose, grant, record, refused};
pub use mass::{Enrolled, Source, Wanted, enroll_many, ever_enrolled, withdraw_groups};
pub use reading::next;
pub use seats::{JOB as SEATS_JOB, expire_due, promote_waiting, seat_waiting};
pub use service::{approve, enroll, reject, withdraw};
pub use settling::{CONSUMER, JOB, Moved, refresh, settle_person};
pub use store::{EnrollmentRow, completed_by_staff, learns};
pub use turning::settle_due;

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
