//! Handlers of the area, by resource.

pub mod bulk;
pub mod report;
pub mod role;
pub mod user;
