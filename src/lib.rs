//! Cairn, a headless learning management system.
//!
//! A request goes through `http::middleware` to a handler in `features/<area>/routes.rs`, which takes a typed caller
//! (`auth::Caller`) and a checked body (`http::Body`), and calls a use case in `service.rs` inside one transaction
//! (`db::Db::write`, `http::commit`). Use cases load what they need through their `store.rs`, ask the pure `domain`, store what
//! it answers and append to the event log (`events`).

pub mod app;
pub mod auth;
pub mod clock;
pub mod config;
pub mod db;
pub mod doctor;
pub mod domain;
pub mod error;
pub mod events;
pub mod features;
pub mod http;
pub mod jobs;
pub mod state;
