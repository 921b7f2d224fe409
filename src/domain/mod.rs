//! The pure heart: what a course is, where a learner stands, who may do what. No I/O, no clock, no randomness.

pub mod permission;
