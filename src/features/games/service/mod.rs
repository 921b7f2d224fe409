//! Use cases about games.

pub mod badges;
pub mod booking;
mod clearing;
pub mod criteria;
pub mod draw;
pub mod ending;
pub mod game;
mod history;
pub mod leaderboard;
pub mod leagues;
pub mod matches;
mod membership;
pub mod players;
pub mod points;
pub mod reach;
pub mod replay;
pub mod scoring;
pub mod sight;
pub mod targets;
pub mod teams;
pub mod undoing;

use std::sync::{Arc, LazyLock};

use chrono::{DateTime, Utc};
use quick_cache::sync::Cache;
use uuid::Uuid;

use super::store::badges::BadgeRow;
use super::store::games::GameRow;
use super::store::{self};
use crate::db::Conn;
use crate::domain::condition::Condition;
use crate::domain::game::badge::Criteria;
use crate::domain::game::image::Design;
use crate::domain::game::period::{self, Period, Seasons};
use crate::domain::game::term::Term;
use crate::domain::game::{Mode, Revocation, Settings, TeamScore};
use crate::domain::permission::{Act, Relation, Roles};
use crate::error::{AppError, AppResult, Code};
use crate::state::Ctx;

/// A badge, read.
#[derive(Debug, Clone)]
pub struct Badge {
    /// The row.
    pub row: BadgeRow,
    /// How it looks.
    pub design: Design,
    /// What earns it.
    pub criteria: Option<Criteria>,
    /// What must hold of the event that earns it.
    pub award_where: Option<Condition>,
    /// What becomes of it when its cause is corrected.
    pub revocation: Revocation,
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> AppResult<T> {
    serde_json::from_str(text).map_err(AppError::internal)
}

impl Badge {
    fn read(row: BadgeRow) -> AppResult<Self> {
        Ok(Self {
            design: json(&row.design)?,
            criteria: row.criteria.as_deref().map(json).transpose()?,
            award_where: row.award_where.as_deref().map(json).transpose()?,
            revocation: Revocation::parse(&row.revocation).unwrap_or_default(),
            row,
        })
    }
}

/// A game, read: row, settings, badges.
#[derive(Debug, Clone)]
pub struct Game {
    /// The row.
    pub row: GameRow,
    /// What its author decided.
    pub settings: Settings,
    /// Its badges.
    pub badges: Vec<Badge>,
    /// The roles that the actor holds over the unit that it is of, or one above; filled in by [`find`].
    pub unit_roles: Roles,
}

/// Open games by id and version; whatever changes a game or its badges raises the version.
static GAMES: LazyLock<Cache<(Uuid, i64), Arc<Game>>> = LazyLock::new(|| Cache::new(1_000));

/// Reads rows with their badges; what this process has read before in the same version is not read again.
fn read(conn: &mut Conn, rows: Vec<GameRow>) -> AppResult<Vec<Arc<Game>>> {
    let mut games = Vec::with_capacity(rows.len());
    for row in rows {
        // One query for each game that is new or changed; the others cost none.
        let game = match GAMES.get(&(row.id, row.version)) {
            Some(game) => game,
            None => {
                let badges = store::badges::of_game(conn, row.id)?;
                let badges = badges.into_iter().map(Badge::read).collect::<AppResult<_>>()?;
                let game = Arc::new(Game { settings: json(&row.settings)?, badges, row, unit_roles: Roles::default() });
                GAMES.insert((game.row.id, game.row.version), Arc::clone(&game));
                game
            }
        };
        games.push(game);
    }
    Ok(games)
}

impl Game {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.row.id
    }

    /// Whether teams compete.
    #[must_use]
    pub fn has_teams(&self) -> bool {
        self.row.mode == Mode::Teams.as_str()
    }

    /// What seasons are counted from.
    #[must_use]
    pub fn seasons(&self) -> Seasons {
        Seasons { from: self.row.starts_at.date_naive(), days: self.settings.season_days }
    }

    /// The name of the bucket that an instant lies in.
    #[must_use]
    pub fn bucket(&self, period: Period, at: DateTime<Utc>) -> String {
        period::bucket(period, at, self.seasons())
    }

    /// When it begins and ends.
    #[must_use]
    pub fn term(&self) -> Term {
        let row = &self.row;
        Term { starts_at: row.starts_at, ends_at: row.ends_at, closed: row.status != "open" }
    }

    /// The group that it is of, if it is.
    #[must_use]
    pub fn group(&self) -> Option<Uuid> {
        self.row.scope_id.filter(|_| self.row.scope_kind == "group")
    }

    /// The course that it is of, if it is.
    #[must_use]
    pub fn course(&self) -> Option<Uuid> {
        self.row.scope_id.filter(|_| self.row.scope_kind == "course")
    }

    /// For the team score: how many of the best count.
    #[must_use]
    pub fn top_k(&self) -> i64 {
        match self.settings.team_score {
            TeamScore::TopK(k) => i64::try_from(k.0).unwrap_or(i64::MAX),
            _ => 0,
        }
    }

    /// How the actor stands to the game.
    #[must_use]
    pub fn relation(&self) -> Relation {
        Relation { own: false, course: self.course(), managed: false, unit_roles: self.unit_roles }
    }

    /// Refuses what a game that is over does not allow any more, from the very instant at which it ends.
    ///
    /// # Errors
    /// 409.
    pub fn require_open(&self, now: DateTime<Utc>) -> AppResult<()> {
        if !self.term().over(now) {
            return Ok(());
        }
        Err(AppError::new(Code::WrongState, "The game is closed; its standings are final.")
            .with("game_status", "closed"))
    }

    /// Refuses points in a game that has not begun or is over.
    ///
    /// # Errors
    /// 409.
    pub fn require_running(&self, now: DateTime<Utc>) -> AppResult<()> {
        self.require_open(now)?;
        if self.term().counts(now) {
            return Ok(());
        }
        Err(AppError::new(Code::WrongState, "The game has not begun; there are no points before its start.")
            .with("starts_at", self.row.starts_at))
    }
}

/// Finds a game that the actor may treat so; out of sight looks like not found.
///
/// # Errors
/// 404; 403 when it may be seen but not treated so.
pub fn find(conn: &mut Conn, ctx: &Ctx, id: Uuid, act: Act) -> AppResult<Arc<Game>> {
    let row = store::games::find(conn, id)?.ok_or_else(|| AppError::not_found("game"))?;
    authorized(conn, ctx, row, act)
}

/// As [`find`], locked until the transaction ends.
///
/// # Errors
/// As [`find`].
pub fn find_locked(conn: &mut Conn, ctx: &Ctx, id: Uuid, act: Act) -> AppResult<Arc<Game>> {
    let row = store::games::find_locked(conn, id)?.ok_or_else(|| AppError::not_found("game"))?;
    authorized(conn, ctx, row, act)
}

fn authorized(conn: &mut Conn, ctx: &Ctx, row: GameRow, act: Act) -> AppResult<Arc<Game>> {
    let game = read(conn, vec![row])?.pop().ok_or_else(|| AppError::not_found("game"))?;
    let game = sight::with_unit_roles(conn, ctx, game)?;
    let relation = Relation { own: act == Act::Play, ..game.relation() };
    let may = ctx.may(act, &relation);
    // Who may do it need not be able to read it besides: a machine's scopes are asked for one by one.
    if may && !matches!(act, Act::ReadGame | Act::Play) {
        return Ok(game);
    }
    if !ctx.may(Act::ReadGame, &game.relation()) && !may || !sight::sees(conn, ctx, &game)? {
        return Err(AppError::not_found("game"));
    }
    ctx.require(act, &relation)?;
    Ok(game)
}

/// Whether the actor sees who hides behind a pseudonym.
fn sees_all(ctx: &Ctx, game: &Game) -> bool {
    ctx.may(Act::RefereeGame, &game.relation())
}

/// Raises a game's version after its badges changed, so that no process goes on with what it read before.
fn touch(conn: &mut Conn, ctx: &Ctx, game: &Game) -> AppResult<()> {
    let mut row = game.row.clone();
    row.version = row.version.saturating_add(1);
    row.updated_at = ctx.now;
    store::games::update(conn, &row)
}

/// The faults of settings or badges, as an answer.
fn refuse(faults: Vec<crate::domain::game::settings::Fault>) -> AppResult<()> {
    let mut all = crate::error::Faults::new();
    for (pointer, code, detail) in faults {
        all.add(pointer, code, detail);
    }
    all.finish()
}
