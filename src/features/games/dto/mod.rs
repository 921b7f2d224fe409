//! What comes in and goes out about games.

mod badge;
mod board;
mod competition;
mod game;
mod player;

pub use badge::{AwardBadgeIn, BadgeAwardOut, BadgeIn, BadgeOut, BadgePatch, RevokeBadgeIn};
pub use board::{Around, BoardItem, BoardQuery, LeaderboardOut, LiveOut, PlayerOut, TeamBrief};
pub use competition::{
    Balance, DrawIn, DrawOut, DrawnTeam, JoinIn, LeagueDrawOut, LeagueItem, LeagueOut, LeagueQuery, MatchFormat,
    MatchList, MatchOut, MatchTeam, MemberOut, MembershipOut, ScheduleIn, TeamIn, TeamOut, TeamPatch,
};
pub use game::{
    FinalPlace, GameIn, GameOut, GamePatch, GameQuery, GameReport, GameStatus, PageQuery, PrizeGiven, ReplayChange,
    ReplayIn, ReplayOut, ReplayQuery, ScopeIn,
};
pub use player::{
    CorrectionIn, EntryKind, EntryOut, FlagOut, FlagQuery, FlagResolution, FlagState, GameDisplay, LedgerQuery,
    LevelOut, LevelsOut, NextLevel, PreferencesIn, PreferencesOut, ResolveFlagIn, UserGamePoints, UserPointsOut,
};
