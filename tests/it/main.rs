//! The tests that speak HTTP. Each runs on SQLite and, where Postgres's server binaries are present, on Postgres with the same
//! code. They read like the manual: who does what, and what the answer is.

#![allow(missing_docs, clippy::as_conversions, reason = "tests")]

#[macro_use]
mod support;

mod attempts;
mod authoring;
mod demo;
mod enrollments;
mod smoke;
mod styles;
