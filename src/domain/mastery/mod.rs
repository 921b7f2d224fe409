//! Competencies: what graded work proves, how results combine to mastery, who is behind, what would help.

pub mod ability;
pub mod behind;
pub mod book;
pub mod coverage;
pub mod matrix;
pub mod method;
pub mod proof;
pub mod reach;
pub mod rollup;

pub use self::method::{Evidence, Fault, Level, Method, Params, level_of, reaches};
