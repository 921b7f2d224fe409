//! Quiz attempts: begun, answered, submitted, graded, corrected. The answers' key never leaves the server.

mod correcting;
pub mod dto;
mod routes;
mod service;
mod store;

use crate::http::routes::Routes;

pub use service::{answer, create, submit, submit_overdue};

/// Registers the area's operations.
pub fn register(config: &mut Routes<'_, '_>) {
    config
        .service(routes::create_attempt)
        .service(routes::list_attempts)
        .service(routes::get_attempt)
        .service(routes::answer_item)
        .service(routes::submit_attempt)
        .service(routes::correct_attempt)
        .service(routes::delete_attempt);
}
