//! `/v1/frameworks`, `/v1/competencies`, mastery, targets, goals, practice.

pub mod competency;
pub mod framework;
pub mod goal;
pub mod mastery;
pub mod practice;
pub mod target;
