//! The end of a game: what happened before it is still counted, then standings are final, prizes given once, a report kept.

use chrono::TimeDelta;
use serde_json::json;
use uuid::Uuid;

use super::leaderboard::{self, team_standings};
use super::{Game, badges, find, find_locked, matches, read, scoring};
use crate::clock::Clock;
use crate::db::Conn;
use crate::domain::game::View;
use crate::domain::game::period::Period;
use crate::domain::permission::Act;
use crate::error::{AppError, AppResult, Code};
use crate::events::{self, dispatch};
use crate::features::games::dto::{FinalPlace, GameReport, PrizeGiven};
use crate::features::games::store::{self, boards, players, teams};
use crate::http::Conditions;
use crate::state::{Ctx, State};

/// Places in a report at most; the leaderboard of a closed game has all.
const REPORTED: i64 = 1_000;

/// Closes a game now. What the log had up to `until` is counted.
///
/// # Errors
/// 403, 404, 409, 412; 503 when that cannot be read yet.
pub fn close(
    conn: &mut Conn,
    ctx: &Ctx,
    id: Uuid,
    conditions: &Conditions,
    until: i64,
    clock: &Clock,
) -> AppResult<GameReport> {
    find(conn, ctx, id, Act::WriteGame)?;
    // Whatever is committed counts, though it may not have been dispatched yet. The cursor's lock comes before the game's, as
    // in the dispatcher.
    dispatch::catch_up(
        conn,
        &Ctx { actor: crate::domain::permission::Actor::System, ..ctx.clone() },
        &scoring::CONSUMER,
        until,
    )?;
    let game = find_locked(conn, ctx, id, Act::WriteGame)?;
    conditions.require(game.row.version)?;
    game.require_open(ctx.now)?;
    // The request may have waited for others who were booking: what they booked was before the end.
    finish(conn, &Ctx { now: clock.now(), ..ctx.clone() }, &game)
}

fn finish(conn: &mut Conn, ctx: &Ctx, game: &Game) -> AppResult<GameReport> {
    // Rounds that are over are won now, with all that was counted; those that would have ended later are not played.
    let end = game.row.ends_at.map_or(ctx.now, |end| end.min(ctx.now));
    matches::settle(conn, ctx, game, end)?;
    store::matches::cancel(conn, game.id(), end)?;
    let standings = leaderboard::top(conn, game, REPORTED)?;
    let team_places = if game.has_teams() { team_standings(conn, game, Period::All.as_str())? } else { Vec::new() };
    let suspects = players::suspects(conn, game.id())?;
    let refused = players::convicts(conn, game.id())?;
    let winning: Vec<Uuid> = team_places
        .iter()
        .filter(|item| game.settings.prizes.iter().any(|p| p.view == View::Teams && i64::from(p.to) >= item.rank))
        .filter_map(|item| item.team.as_ref().map(|team| team.id))
        .collect();
    let members = teams::all_members(conn, &winning)?;
    let mut given = Vec::new();
    for prize in &game.settings.prizes {
        let ranks = i64::from(prize.from)..=i64::from(prize.to);
        let mut give = |rank: i64, user: Uuid, team: Option<Uuid>| {
            let withheld = suspects.contains(&user);
            given.push(PrizeGiven {
                title: prize.title.clone(),
                rank,
                user_id: user,
                team_id: team,
                badge_id: prize.badge_id,
                withheld,
                refused: refused.contains(&user),
            });
        };
        match prize.view {
            View::Players => standings
                .iter()
                .filter(|(rank, _, points, _)| ranks.contains(rank) && *points > 0)
                .for_each(|(rank, user, ..)| give(*rank, *user, None)),
            View::Teams => {
                for item in team_places.iter().filter(|item| ranks.contains(&item.rank) && item.points > 0) {
                    let Some(team) = &item.team else { continue };
                    members
                        .iter()
                        .filter(|(of, _)| *of == team.id)
                        .for_each(|(_, user)| give(item.rank, *user, Some(team.id)));
                }
            }
        }
    }
    let grants = given.iter().filter(|prize| !prize.withheld).filter_map(grant_of).collect();
    badges::grant(conn, ctx, game, grants)?;
    let total = boards::players(conn, game.id(), Period::All.as_str())?;
    let place =
        |(rank, user, points, at): (i64, Uuid, i64, _)| FinalPlace { rank, user_id: user, points, reached_at: at };
    let report = GameReport {
        game_id: game.id(),
        title: game.row.title.clone(),
        closed_at: ctx.now,
        player_count: total,
        players: standings.into_iter().map(place).collect(),
        teams: team_places,
        prizes: given,
    };
    let mut row = game.row.clone();
    row.status = "closed".to_owned();
    row.closed_at = Some(ctx.now);
    row.report = Some(serde_json::to_string(&report).map_err(AppError::internal)?);
    row.version = row.version.saturating_add(1);
    row.updated_at = ctx.now;
    store::games::update(conn, &row)?;
    let data = json!({"players": total, "teams": report.teams.len(), "prizes": report.prizes.len()});
    events::append(conn, ctx, vec![super::game::event("game.closed", game).data(data)])?;
    Ok(report)
}

/// What becomes of the prizes of a closed game that wait because a player was flagged, after one of the flags was resolved: refused
/// for good when it was confirmed and nothing else was taken for it, given once no flag speaks against it any more. The report
/// notes it.
///
/// # Errors
/// Database errors.
pub(super) fn release(conn: &mut Conn, ctx: &Ctx, game: &Game, user: Uuid, refuse: bool) -> AppResult<()> {
    let Some(text) = game.row.report.as_deref() else { return Ok(()) };
    let mut report: GameReport = serde_json::from_str(text).map_err(AppError::internal)?;
    if !refuse && players::suspects(conn, game.id())?.contains(&user) {
        return Ok(());
    }
    let mut grants = Vec::new();
    let mut changed = false;
    let waits = |prize: &&mut PrizeGiven| prize.withheld && !prize.refused && prize.user_id == user;
    for prize in report.prizes.iter_mut().filter(waits) {
        changed = true;
        if refuse {
            prize.refused = true;
        } else {
            prize.withheld = false;
            grants.extend(grant_of(prize));
        }
    }
    if !changed {
        return Ok(());
    }
    badges::grant(conn, ctx, game, grants)?;
    let mut row = game.row.clone();
    row.report = Some(serde_json::to_string(&report).map_err(AppError::internal)?);
    row.version = row.version.saturating_add(1);
    row.updated_at = ctx.now;
    store::games::update(conn, &row)
}

fn grant_of(prize: &PrizeGiven) -> Option<badges::Grant> {
    let reason = format!("{}: place {}", prize.title, prize.rank);
    Some(badges::Grant { badge: prize.badge_id?, user: prize.user_id, source: "prize", reason, event: None })
}

/// The final report of a game that is closed, for those who run it.
///
/// # Errors
/// 403, 404, 409.
pub fn report(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<GameReport> {
    let game = find(conn, ctx, id, Act::RefereeGame)?;
    let text = game.row.report.as_deref().ok_or_else(|| {
        AppError::new(Code::WrongState, "The game is still open; there is a report when it is closed.")
    })?;
    serde_json::from_str(text).map_err(AppError::internal)
}

/// Closes games whose time is over; run every few seconds, one transaction each. What happened before the end and is not yet
/// dispatched is counted first.
///
/// # Errors
/// Database errors.
pub fn close_due(state: &State, _: &serde_json::Value) -> AppResult<()> {
    // A transaction that began before the end may commit after it; Postgres shows its events a moment later.
    let by = state.clock.now() - TimeDelta::seconds(2);
    let due = state.db.read_here(move |conn| store::games::due(conn, by, 100))?;
    for id in due {
        let ctx = state.system();
        let until = dispatch::settled_here(state)?;
        let closed = state.db.write_here(move |conn| {
            dispatch::catch_up(conn, &ctx, &scoring::CONSUMER, until)?;
            let Some(row) = store::games::find_locked(conn, id)? else { return Ok(()) };
            let over = row.status == "open" && row.ends_at.is_some_and(|end| end <= by);
            match read(conn, vec![row])?.pop().filter(|_| over) {
                Some(game) => finish(conn, &ctx, &game).map(drop),
                None => Ok(()),
            }
        });
        // Events that cannot be read yet are waited for: the next run is seconds away.
        closed.or_else(|error| if error.code() == Code::Unavailable { Ok(()) } else { Err(error) })?;
    }
    Ok(())
}
