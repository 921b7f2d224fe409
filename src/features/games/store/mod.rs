//! SQL about games.

pub mod badges;
pub mod boards;
pub mod facts;
pub mod games;
pub mod groups;
pub mod leagues;
pub mod ledger;
pub mod matches;
pub mod players;
pub mod ranking;
pub mod teams;

/// Rows in one statement at most.
pub const PIECE: usize = 500;
