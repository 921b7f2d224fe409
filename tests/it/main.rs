//! The tests that speak HTTP. Each runs on SQLite and, where Postgres's server binaries are present, on Postgres with the same
//! code. They read like the manual: who does what, and what the answer is.

#![allow(
    missing_docs,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

#[macro_use]
mod support;

mod access;
mod architecture;
mod at_once;
mod attempts;
mod audit;
mod authoring;
mod badges;
mod bulk;
mod competencies;
mod competencies_changes;
mod competencies_classes;
mod competencies_corrections;
mod competencies_frameworks;
mod competencies_paths;
mod competencies_practice;
mod competencies_rollups;
mod demo;
mod enrollments;
mod games;
mod games_access;
mod games_corrected;
mod games_ending;
mod games_fair;
mod games_history;
mod games_inputs;
mod games_running;
mod games_undone;
mod groups;
mod idempotency;
mod input;
mod instants;
mod jobs;
mod leaderboards;
mod learning;
mod lockout;
mod migrations;
mod oauth;
mod openapi;
mod organisation;
mod outside_identity;
mod people;
mod privacy;
mod promises;
mod rate_limits;
mod scim;
mod sessions;
mod smoke;
mod standing;
mod statements;
mod styles;
mod sync;
mod sync_ends;
mod sync_people;
mod system;
mod teams;
