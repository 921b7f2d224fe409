//! Competencies: frameworks, what graded work proves, mastery that follows from it, who is behind, goals, practice.
//!
//! * `domain::mastery` has the formulas; nothing there knows a database.
//! * `service::reckoning` is the one way into evidence and mastery. It runs in the transaction of the graded work, so that the answer to
//!   the call that proved mastery shows what it opened.
//! * `service::behind` is the job that tells of those who fall behind.
//!
//! Whoever writes evidence holds the person's lock for mastery on Postgres. The order of locks is: enrollment, then mastery.

pub mod dto;
mod routes;
pub mod service;
mod store;

use crate::http::routes::Routes;

pub use service::behind::tell_due;
pub use service::reckoning::{JOB, Reckoned, Why, Work, book, prove, reckon_all, withdraw};
pub use service::{Named, add_facts, as_of, below, due_somewhere, existing, for_simulation, index_revision};

/// Registers the area's operations.
pub fn register(config: &mut Routes<'_, '_>) {
    config
        .service(routes::framework::import_framework)
        .service(routes::framework::create_framework)
        .service(routes::framework::list_frameworks)
        .service(routes::framework::get_framework)
        .service(routes::framework::update_framework)
        .service(routes::framework::delete_framework)
        .service(routes::framework::list_framework_versions)
        .service(routes::framework::export_framework)
        .service(routes::competency::create_competency)
        .service(routes::competency::list_competencies)
        .service(routes::competency::get_competency)
        .service(routes::competency::update_competency)
        .service(routes::competency::delete_competency)
        .service(routes::mastery::list_mastery)
        .service(routes::mastery::get_mastery)
        .service(routes::mastery::list_evidence)
        .service(routes::mastery::record_evidence)
        .service(routes::mastery::delete_evidence)
        .service(routes::mastery::get_coverage)
        .service(routes::mastery::get_course_mastery)
        .service(routes::mastery::get_group_mastery)
        .service(routes::target::list_targets)
        .service(routes::target::set_target)
        .service(routes::target::delete_target)
        .service(routes::target::list_behind)
        .service(routes::target::list_enrollment_targets)
        .service(routes::goal::create_goal)
        .service(routes::goal::list_goals)
        .service(routes::goal::get_goal)
        .service(routes::goal::update_goal)
        .service(routes::goal::delete_goal)
        .service(routes::goal::list_goal_learners)
        .service(routes::goal::assign_goal)
        .service(routes::goal::unassign_goal)
        .service(routes::goal::list_user_goals)
        .service(routes::practice::get_practice_item)
        .service(routes::practice::answer_practice_item);
}
