//! Handlers of the area, by resource.

pub mod assignment;
pub mod bulk;
pub mod group;
pub mod member;
