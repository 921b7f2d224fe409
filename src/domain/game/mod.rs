//! Games: points from events, levels, badges, leaderboards, teams, matches and leagues; pure.
//!
//! Everything that is shown is a sum over the ledger ([`ledger`]); everything that is drawn follows from a stored seed.
//! Days, weeks, months and seasons are those of UTC.

pub mod badge;
pub mod cause;
pub mod deeds;
pub mod draw;
pub mod history;
pub mod image;
pub mod league;
pub mod ledger;
pub mod membership;
pub mod order;
pub mod period;
pub mod points;
pub mod pseudonym;
pub mod rank;
pub mod schedule;
pub mod scorer;
pub mod settings;
pub mod standing;
pub mod streak;
pub mod team;
pub mod term;

pub use settings::{
    Display, GameScope, Guard, LeagueRules, Level, Mode, PointRule, Prize, Repeat, Revocation, ScopeKind, Settings,
    TeamScore, View,
};
