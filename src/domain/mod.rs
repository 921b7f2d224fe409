//! The pure heart: what a course is, where a learner stands and why, who may do what. No I/O, no clock, no randomness.

pub mod bounds;
pub mod condition;
pub mod facts;
pub mod framework;
pub mod game;
pub mod intervals;
pub mod learning;
pub mod lint;
pub mod lockout;
pub mod mastery;
pub mod organisation;
pub mod outline;
pub mod past;
pub mod path;
pub mod permission;
pub mod quiz;
pub mod rate;
pub mod scim;
pub mod simulate;
pub mod sync;
pub mod upgrade;
