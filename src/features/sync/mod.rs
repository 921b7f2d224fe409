//! The HR sync: the whole list of employees becomes a plan, the plan is looked at, and applied in pieces by the worker.
//!
//! `reading` turns JSON, NDJSON and CSV into employees; the pure `domain::sync` decides; `service` keeps plans; `apply` is the job.

mod apply;
pub mod dto;
mod reading;
mod routes;
mod service;
mod store;
mod table;

use crate::http::routes::Routes;

pub use apply::{JOB, apply_piece, apply_plan};
pub use service::{end_stuck_plans, forget_old};
pub use store::forget_person;

/// Registers the area's operations.
pub fn register(config: &mut Routes<'_, '_>) {
    config
        .service(routes::create_sync_plan)
        .service(routes::get_sync_plan)
        .service(routes::list_sync_plan_rows)
        .service(routes::apply_sync_plan)
        .service(routes::get_sync_settings)
        .service(routes::set_sync_settings);
}
