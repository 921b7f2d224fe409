//! The operations of games.

pub mod badges;
pub mod game;
pub mod live;
pub mod players;
pub mod teams;
