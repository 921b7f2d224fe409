//! `/v1/enrollments`.

pub mod enrollment;
pub mod learning;
pub mod reading;
