//! Matches between teams: a schedule of rounds, each won by the points of that round.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

use super::leaderboard::team_standings;
use super::{Game, find, find_locked, read};
use crate::db::Conn;
use crate::domain::bounds::LAST;
use crate::domain::game::TeamScore;
use crate::domain::game::period::Period;
use crate::domain::game::schedule::{self, Pairing};
use crate::domain::game::team::Standing;
use crate::domain::permission::Act;
use crate::error::{AppError, AppResult, Code};
use crate::events::{self, dispatch};
use crate::features::games::dto::{MatchFormat, MatchOut, MatchTeam, ScheduleIn};
use crate::features::games::store::matches::{self as store, MatchRow};
use crate::features::games::store::{games, ledger, teams};
use crate::state::{Ctx, State};

fn outs(conn: &mut Conn, game: &Game, rows: Vec<MatchRow>) -> AppResult<Vec<MatchOut>> {
    let names = teams::names(conn, game.id())?;
    let team = |id: Option<Uuid>, score: Option<f64>| {
        id.map(|id| MatchTeam { id, name: names.get(&id).cloned().unwrap_or_default(), score })
    };
    Ok(rows
        .into_iter()
        .map(|row| MatchOut {
            id: row.id,
            round: row.round,
            slot: row.slot,
            home: team(row.home_team_id, row.home_score),
            away: team(row.away_team_id, row.away_score),
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            state: row.state,
            winner_id: row.winner_id,
        })
        .collect())
}

/// All matches of a game, round by round.
///
/// # Errors
/// 404.
pub fn list(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<Vec<MatchOut>> {
    let game = find(conn, ctx, id, Act::ReadGame)?;
    let rows = store::of_game(conn, id)?;
    outs(conn, &game, rows)
}

/// Draws up the schedule. A schedule whose first round has not begun is replaced.
///
/// # Errors
/// 403, 404, 409, 422.
pub fn create(conn: &mut Conn, ctx: &Ctx, id: Uuid, input: &ScheduleIn) -> AppResult<Vec<MatchOut>> {
    let game = find_locked(conn, ctx, id, Act::WriteGame)?;
    game.require_open(ctx.now)?;
    let starts_at = input.starts_at.unwrap_or(ctx.now);
    let known = store::of_game(conn, id)?;
    if known.iter().any(|row| row.starts_at <= ctx.now) {
        return Err(AppError::new(Code::WrongState, "The first round has begun; the schedule stays as it is."));
    }
    if starts_at < ctx.now {
        return Err(AppError::field("/starts_at", "in_the_past", "A schedule begins now or later."));
    }
    let ids = seeded(conn, &game, input)?;
    let pairs = match input.format {
        MatchFormat::RoundRobin => schedule::round_robin(&ids),
        MatchFormat::KnockOut => schedule::knock_out(&ids),
    };
    let rounds = pairs.iter().map(|pair| pair.round).max().unwrap_or(0);
    let at = |round: u32| {
        let seconds = input.round_seconds.saturating_mul(i64::from(round));
        TimeDelta::try_seconds(seconds).and_then(|delta| starts_at.checked_add_signed(delta)).filter(|at| *at <= LAST)
    };
    let late = || AppError::field("/round_seconds", "out_of_range", "The rounds would end after the game.");
    let end = at(rounds).ok_or_else(late)?;
    if game.row.ends_at.is_some_and(|limit| end > limit) {
        return Err(late());
    }
    if end.year() > 9999 {
        let detail = "The rounds would last beyond the year 9999.";
        return Err(AppError::field("/round_seconds", "out_of_range", detail));
    }
    let row = |pair: &Pairing| {
        let bye = pair.round == 1 && pair.away.is_none();
        Some(MatchRow {
            id: ctx.new_id(),
            game_id: id,
            format: input.format.as_str().to_owned(),
            round: i32::try_from(pair.round).ok()?,
            slot: i32::try_from(pair.slot).ok()?,
            home_team_id: pair.home,
            away_team_id: pair.away,
            starts_at: at(pair.round.saturating_sub(1))?,
            ends_at: at(pair.round)?,
            state: if bye { "bye" } else { "scheduled" }.to_owned(),
            home_score: None,
            away_score: None,
            winner_id: pair.home.filter(|_| bye),
        })
    };
    let rows: Vec<MatchRow> = pairs.iter().filter_map(row).collect();
    store::clear(conn, id)?;
    store::insert(conn, &rows)?;
    let data = json!({"format": input.format.as_str(), "rounds": rounds, "matches": rows.len()});
    events::append(conn, ctx, vec![super::game::event("game.matches_scheduled", &game).data(data)])?;
    outs(conn, &game, rows)
}

/// The teams that meet, best first: as given, or all by their present standing.
fn seeded(conn: &mut Conn, game: &Game, input: &ScheduleIn) -> AppResult<Vec<Uuid>> {
    if !game.has_teams() {
        return Err(AppError::new(Code::WrongState, "Matches are between teams; this game is played alone."));
    }
    let standing: Vec<Uuid> = team_standings(conn, game, Period::All.as_str())?
        .into_iter()
        .filter_map(|item| item.team.map(|team| team.id))
        .collect();
    let ids = match &input.team_ids {
        None => standing,
        Some(ids) => {
            let mut faults = crate::error::Faults::new();
            let mut seen = HashSet::new();
            for (n, id) in ids.iter().enumerate() {
                let at = format!("/team_ids/{n}");
                faults.ensure(standing.contains(id), &at, "unknown_team", "The game has no such team.");
                faults.ensure(seen.insert(*id), &at, "duplicate", "A team stands in the list once.");
            }
            faults.finish()?;
            ids.clone()
        }
    };
    if !(2..=256).contains(&ids.len()) {
        return Err(AppError::new(Code::WrongState, "A schedule needs 2 to 256 teams."));
    }
    Ok(ids)
}

/// Decides matches whose time is over; run every few seconds, one transaction for each game.
///
/// # Errors
/// Database errors.
pub fn settle_due(state: &State, _: &serde_json::Value) -> AppResult<()> {
    let by = state.clock.now() - TimeDelta::seconds(2);
    let due = state.db.read_here(move |conn| store::due(conn, by))?;
    for id in due {
        let ctx = state.system();
        let until = dispatch::settled_here(state)?;
        let settled = state.db.write_here(move |conn| {
            dispatch::catch_up(conn, &ctx, &super::scoring::CONSUMER, until)?;
            let Some(row) = games::find_locked(conn, id)? else { return Ok(()) };
            if row.status != "open" {
                // A game that is closed does not change any more.
                return store::cancel(conn, id, DateTime::UNIX_EPOCH);
            }
            match read(conn, vec![row])?.pop() {
                Some(game) => settle(conn, &ctx, &game, by),
                None => Ok(()),
            }
        });
        // Events that cannot be read yet are waited for: the next run is seconds away.
        settled.or_else(|error| if error.code() == Code::Unavailable { Ok(()) } else { Err(error) })?;
    }
    Ok(())
}

/// Decides the matches of a game that are over by then, whose events were all counted.
///
/// # Errors
/// Database errors.
pub(super) fn settle(conn: &mut Conn, ctx: &Ctx, game: &Game, by: DateTime<Utc>) -> AppResult<()> {
    let mut rows = store::of_game(conn, game.id())?;
    let open = |row: &&MatchRow| row.state == "scheduled" && row.ends_at <= by;
    // Rounds one after the other: the winners of one are the players of the next.
    let mut rounds: Vec<i32> = rows.iter().filter(open).map(|row| row.round).collect();
    rounds.sort_unstable();
    rounds.dedup();
    if rounds.is_empty() {
        return Ok(());
    }
    let mut log = Vec::new();
    for round in rounds {
        let due: Vec<MatchRow> = rows.iter().filter(open).filter(|row| row.round == round).cloned().collect();
        let Some((from, until)) = due.first().map(|row| (row.starts_at, row.ends_at)) else { continue };
        let scores = scores(conn, game, &due, from, until)?;
        for mut row in due {
            decide(&mut row, game.settings.team_score, &scores);
            let data = json!({"match_id": row.id, "round": row.round, "winner_id": row.winner_id});
            log.push(super::game::event("game.match_decided", game).data(data));
            if row.format == MatchFormat::KnockOut.as_str() {
                advance(&mut rows, &row);
            }
            if let Some(slot) = rows.iter_mut().find(|other| other.id == row.id) {
                *slot = row;
            }
        }
    }
    store::save(conn, &rows)?;
    events::append(conn, ctx, log)
}

/// What each team earned in a round.
fn scores(
    conn: &mut Conn,
    game: &Game,
    due: &[MatchRow],
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> AppResult<HashMap<Uuid, Standing>> {
    let ids: Vec<Uuid> = due.iter().flat_map(|row| [row.home_team_id, row.away_team_id]).flatten().collect();
    let mut by_team: HashMap<Uuid, BTreeMap<Uuid, i64>> = HashMap::new();
    let mut reached: HashMap<Uuid, DateTime<Utc>> = HashMap::new();
    for cause in ledger::of_teams_between(conn, game.id(), &ids, from, until)? {
        let Some(team) = cause.team else { continue };
        let sum = by_team.entry(team).or_default().entry(cause.user).or_default();
        *sum = sum.saturating_add(cause.points);
        // What was taken back whole is as if it had never been.
        if cause.points != 0 {
            let last = reached.entry(team).or_insert(cause.at);
            *last = (*last).max(cause.at);
        }
    }
    let mut heads: HashMap<Uuid, HashSet<Uuid>> = HashMap::new();
    for (team, user) in teams::all_members(conn, &ids)? {
        heads.entry(team).or_default().insert(user);
    }
    let k = usize::try_from(game.top_k()).unwrap_or(0);
    Ok(ids
        .into_iter()
        .map(|team| {
            let earned = by_team.remove(&team).unwrap_or_default();
            let mut everyone = heads.remove(&team).unwrap_or_default();
            everyone.extend(earned.keys());
            let mut best: Vec<i64> = earned.values().copied().collect();
            best.sort_unstable_by(|a, b| b.cmp(a));
            let standing = Standing {
                team,
                sum: earned.values().sum(),
                heads: i64::try_from(everyone.len()).unwrap_or(i64::MAX),
                top: best.iter().take(k).sum(),
                reached_at: reached.get(&team).copied(),
            };
            (team, standing)
        })
        .collect())
}

/// The better score wins; of equals, whoever got there first; of those, the team that was seeded better, which is at home.
fn decide(row: &mut MatchRow, rule: TeamScore, scores: &HashMap<Uuid, Standing>) {
    let find = |id: Option<Uuid>| id.and_then(|id| scores.get(&id));
    let (home, away) = (find(row.home_team_id), find(row.away_team_id));
    row.home_score = home.map(|standing| standing.score(rule).value());
    row.away_score = away.map(|standing| standing.score(rule).value());
    row.state = "over".to_owned();
    row.winner_id = match (home, away) {
        (Some(home), Some(away)) => {
            let first = |standing: &Standing| standing.reached_at.unwrap_or(DateTime::<Utc>::MAX_UTC);
            let order = away.score(rule).cmp(&home.score(rule)).then_with(|| first(home).cmp(&first(away)));
            let draw = row.format == MatchFormat::RoundRobin.as_str() && away.score(rule) == home.score(rule);
            if draw { None } else { Some(if order.is_le() { home.team } else { away.team }) }
        }
        (one, other) => one.or(other).map(|standing| standing.team),
    };
}

/// Sends the winner on to the next round.
fn advance(rows: &mut [MatchRow], decided: &MatchRow) {
    let next = |row: &&mut MatchRow| row.round == decided.round.saturating_add(1) && row.slot == decided.slot / 2;
    if let Some(row) = rows.iter_mut().find(next) {
        if decided.slot % 2 == 0 {
            row.home_team_id = decided.winner_id;
        } else {
            row.away_team_id = decided.winner_id;
        }
    }
}
