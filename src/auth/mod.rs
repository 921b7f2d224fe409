//! Who calls: keys, tokens, passwords, and the typed caller that every handler takes.

pub mod caller;
pub mod keys;
pub mod passwords;
pub mod tokens;

pub use caller::{Anyone, Caller, Need};
