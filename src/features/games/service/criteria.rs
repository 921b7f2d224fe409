//! Badges by criteria: awarded when what they ask is there, treated by their policy when it is not any more.

use std::collections::BTreeMap;

use serde_json::json;
use uuid::Uuid;

use super::badges::{Grant, cause_gone, grant, policy};
use super::booking::Booked;
use super::{Badge, Game, read};
use crate::db::Conn;
use crate::domain::game::Revocation;
use crate::domain::game::badge::Having;
use crate::error::AppResult;
use crate::features::games::store::badges::{self as store, AwardRow};
use crate::features::games::store::{boards, games, ledger, players};
use crate::jobs::queue;
use crate::state::{Ctx, State};

/// Awards what these players now have the criteria for, and treats what they lost the criteria for by the badge's policy. A
/// badge that is a criterion of another is followed up to the depth of the game's badges. What somebody took back by hand is not
/// awarded again: only hands, prizes, rules and later deeds do that.
///
/// # Errors
/// Database errors.
pub fn by_criteria(conn: &mut Conn, ctx: &Ctx, game: &Game, users: &[Uuid], booked: &Booked) -> AppResult<()> {
    let asking: Vec<&Badge> = game.badges.iter().filter(|badge| badge.criteria.is_some()).collect();
    if asking.is_empty() || users.is_empty() {
        return Ok(());
    }
    let points = boards::all_time(conn, game.id(), users)?;
    let streaks = players::find(conn, game.id(), users)?;
    let mut times = ledger::times(conn, game.id(), users)?;
    let (mut held, taken) = store::held_or_taken(conn, game.id(), users)?;
    let mut having: BTreeMap<Uuid, Having> = users
        .iter()
        .map(|user| {
            let having = Having {
                points: points.get(user).copied().unwrap_or(0),
                longest_streak: streaks.get(user).map_or(0, |player| player.streak.longest),
                times: times.remove(user).unwrap_or_default(),
                badges: held.remove(user).unwrap_or_default(),
            };
            (*user, having)
        })
        .collect();
    let mut grants = Vec::new();
    // Pure: each round may fulfil the criteria of one more badge.
    for _ in 0..asking.len() {
        let before = grants.len();
        for badge in &asking {
            for (user, having) in &mut having {
                let met = badge.criteria.as_ref().is_some_and(|criteria| criteria.met(&game.settings, having));
                let taken = taken.get(user).is_some_and(|taken| taken.contains(&badge.row.id));
                if met && !taken && having.badges.insert(badge.row.id) {
                    let reason = "The criteria are met.".to_owned();
                    grants.push(Grant { badge: badge.row.id, user: *user, source: "criteria", reason, event: None });
                }
            }
        }
        if grants.len() == before {
            break;
        }
    }
    grant(conn, ctx, game, grants)?;
    let lost = |user: &Uuid| booked.recheck || booked.after.get(user) < booked.before.get(user);
    let poorer: Vec<Uuid> = users.iter().filter(|user| lost(user)).copied().collect();
    if poorer.is_empty() {
        return Ok(());
    }
    let mut held = store::by_criteria_of(conn, game.id(), &poorer)?;
    let mut gone = Vec::new();
    // Pure: a badge that is taken back may have been a criterion of another.
    loop {
        let lacking = |award: &AwardRow| {
            let badge = asking.iter().find(|badge| badge.row.id == award.badge_id);
            badge
                .and_then(|badge| badge.criteria.as_ref())
                .zip(having.get(&award.user_id))
                .is_some_and(|(criteria, having)| !criteria.met(&game.settings, having))
        };
        let (lost, kept): (Vec<AwardRow>, Vec<AwardRow>) = held.into_iter().partition(lacking);
        if lost.is_empty() {
            return cause_gone(conn, ctx, game, gone);
        }
        for award in lost.iter().filter(|award| policy(game, award) == Revocation::Revoke) {
            if let Some(having) = having.get_mut(&award.user_id) {
                having.badges.remove(&award.badge_id);
            }
        }
        gone.extend(lost);
        held = kept;
    }
}

/// Players who are looked at in the answer to the call that makes criteria; the job sees to the others.
const AT_ONCE: i64 = 1_000;
/// Players in each of the job's transactions.
const A_PIECE: i64 = 500;

/// The job that awards badges by criteria to those who had what they ask before the criteria were there.
pub const JOB: &str = "award_badges_by_criteria";

/// Awards the game's badges to all players who have what the criteria ask: to the first thousand at once, to all others by a
/// job, in pieces.
///
/// # Errors
/// Database errors.
pub fn to_those_who_qualify(conn: &mut Conn, ctx: &Ctx, game: &Game) -> AppResult<()> {
    if let Some(after) = award_piece(conn, ctx, game, None, AT_ONCE)? {
        let payload = json!({"game_id": game.id(), "after": after});
        queue::enqueue(conn, JOB, Some(&format!("{JOB}:{}", game.id())), payload, ctx.now, ctx.now)?;
    }
    Ok(())
}

/// Looks at so many players; answers the last of them when there may be more.
fn award_piece(conn: &mut Conn, ctx: &Ctx, game: &Game, after: Option<Uuid>, size: i64) -> AppResult<Option<Uuid>> {
    let users = players::ids(conn, game.id(), after, size)?;
    by_criteria(conn, ctx, game, &users, &Booked::default())?;
    let full = i64::try_from(users.len()).is_ok_and(|n| n >= size);
    Ok(users.last().copied().filter(|_| full))
}

/// The job: see [`JOB`]. It begins anew after a crash; what was awarded is not awarded again.
///
/// # Errors
/// Database errors.
pub fn award_to_rest(state: &State, payload: &serde_json::Value) -> AppResult<()> {
    let id = |name| payload.get(name).and_then(serde_json::Value::as_str).and_then(|text| Uuid::try_parse(text).ok());
    let (Some(game), mut after) = (id("game_id"), id("after")) else { return Ok(()) };
    loop {
        let ctx = state.system();
        after = state.db.write_here(move |conn| {
            let Some(row) = games::find_locked(conn, game)? else { return Ok(None) };
            match read(conn, vec![row])?.pop().filter(|game| !game.term().over(ctx.now)) {
                Some(game) => award_piece(conn, &ctx, &game, after, A_PIECE),
                None => Ok(None),
            }
        })?;
        if after.is_none() {
            return Ok(());
        }
    }
}
