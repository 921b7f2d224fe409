//! `/v1/courses`.

pub mod course;
pub mod outline;
pub mod staff;
