//! `/v1/enrollments`.

pub mod bulk;
pub mod enrollment;
pub mod learning;
pub mod reading;
