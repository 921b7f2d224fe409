//! Who calls: keys, tokens, passwords, and the typed caller that every handler takes.

mod actor;
pub mod caller;
pub mod jose;
pub mod keys;
pub mod limits;
pub mod outside;
pub mod passwords;
pub mod tokens;

pub use caller::{Anyone, Caller, Need};
