//! Leagues: groups of similar players for each week or month.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::{Game, find, find_locked, players, read};
use crate::db::Conn;
use crate::domain::game::LeagueRules;
use crate::domain::game::league::{self, Place};
use crate::domain::permission::Act;
use crate::error::{AppError, AppResult, Code};
use crate::events;
use crate::features::games::dto::{LeagueDrawOut, LeagueItem, LeagueOut, LeagueQuery};
use crate::features::games::store::{boards, games, leagues as store, players as player_store};
use crate::state::{Ctx, State};

fn rules(game: &Game) -> AppResult<&LeagueRules> {
    game.settings.leagues.as_ref().ok_or_else(|| AppError::new(Code::WrongState, "This game has no leagues."))
}

/// A group of a league: the caller's, or the one that is asked for.
///
/// # Errors
/// 404, 409.
pub fn get(conn: &mut Conn, ctx: &Ctx, id: Uuid, query: &LeagueQuery) -> AppResult<LeagueOut> {
    let game = find(conn, ctx, id, Act::ReadGame)?;
    let rules = rules(&game)?;
    let bucket = game.bucket(rules.period, query.at.unwrap_or(ctx.now));
    let mut out = LeagueOut {
        period: rules.period,
        bucket: bucket.clone(),
        tier: None,
        group: None,
        ends_at: crate::domain::game::period::next_start(rules.period, query.at.unwrap_or(ctx.now), game.seasons()),
        items: Vec::new(),
    };
    let group = match (query.group, ctx.actor.user_id()) {
        (Some(group), _) => Some(group),
        (None, Some(me)) => store::place_of(conn, id, &bucket, me)?.map(|(_, group)| group),
        (None, None) => None,
    };
    let Some(group) = group else { return Ok(out) };
    let places = store::places(conn, id, &bucket, Some(group))?;
    if places.is_empty() && query.group.is_some() {
        return Err(AppError::field("?group", "unknown_group", "The period has no group of this number."));
    }
    let users: Vec<Uuid> = places.iter().map(|place| place.user).collect();
    // Who hides keeps the place in the group, so that the zones are true, but is shown to nobody else.
    let mut shown = players::seen(conn, ctx, &game, &users)?;
    out.group = Some(group);
    out.tier = places.first().and_then(|place| rules.tiers.get(usize::try_from(place.tier).ok()?).cloned());
    let size = places.len();
    let best = places.first().map_or(0, |place| place.points);
    out.items = places
        .iter()
        .enumerate()
        .filter_map(|(n, place)| {
            let rank = n.saturating_add(1);
            Some(LeagueItem {
                rank,
                points: place.points,
                zone: league::zone(rules, place.tier, rank, size, place.points, best).as_str(),
                user: shown.remove(&place.user)?,
            })
        })
        .collect();
    Ok(out)
}

/// Draws the groups of the running period, if that was not done yet.
///
/// # Errors
/// 403, 404, 409.
pub fn draw(conn: &mut Conn, ctx: &Ctx, id: Uuid) -> AppResult<LeagueDrawOut> {
    let game = find_locked(conn, ctx, id, Act::WriteGame)?;
    game.require_open(ctx.now)?;
    rules(&game)?;
    let drawn = roll(conn, ctx, &game, ctx.now)?;
    drawn.ok_or_else(|| AppError::new(Code::WrongState, "The groups of this period are drawn already."))
}

fn roll(conn: &mut Conn, ctx: &Ctx, game: &Game, now: DateTime<Utc>) -> AppResult<Option<LeagueDrawOut>> {
    let rules = rules(game)?;
    let bucket = game.bucket(rules.period, now);
    let newest = store::newest(conn, game.id())?;
    if newest.as_ref().is_some_and(|newest| *newest >= bucket) {
        return Ok(None);
    }
    let before: Vec<Place> = match &newest {
        Some(newest) => store::places(conn, game.id(), newest, None)?,
        None => Vec::new(),
    };
    let known: HashSet<Uuid> = before.iter().map(|place| place.user).collect();
    let all = player_store::ids(conn, game.id(), None, 1_000_000)?;
    let new: Vec<Uuid> = all.into_iter().filter(|user| !known.contains(user)).collect();
    let points = boards::all_time(conn, game.id(), &new)?;
    let newcomers: Vec<(Uuid, i64)> = new.iter().map(|user| (*user, points.get(user).copied().unwrap_or(0))).collect();
    // The bucket is part of the seed, so that equals are not grouped in the same way each time.
    let seed = bucket.bytes().fold(game.row.seed, |seed, byte| seed.wrapping_mul(31).wrapping_add(i64::from(byte)));
    let places = league::next_period(rules, &before, &newcomers, seed);
    store::insert(conn, game.id(), &bucket, &places)?;
    let groups = places.iter().map(|place| place.group).collect::<HashSet<_>>().len();
    let data = json!({"bucket": bucket, "players": places.len(), "groups": groups});
    events::append(conn, ctx, vec![super::game::event("game.leagues_drawn", game).data(data)])?;
    Ok(Some(LeagueDrawOut { bucket, players: places.len(), groups }))
}

/// Draws the groups of a new week or month; run every minute.
///
/// # Errors
/// Database errors.
pub fn roll_due(state: &State, _: &serde_json::Value) -> AppResult<()> {
    let open = state.db.read_here(|conn| {
        let ids: Vec<Uuid> = games::open_versions(conn)?.into_iter().map(|(id, _)| id).collect();
        let rows = games::by_ids(conn, &ids)?;
        read(conn, rows)
    })?;
    for game in open.into_iter().filter(|game| game.settings.leagues.is_some()) {
        let ctx = state.system();
        let rolled = state.db.write_here(move |conn| {
            let Some(row) = games::find_locked(conn, game.id())?.filter(|row| row.status == "open") else {
                return Ok(());
            };
            match read(conn, vec![row])?.pop() {
                Some(game) if game.term().counts(ctx.now) && game.settings.leagues.is_some() => {
                    roll(conn, &ctx, &game, ctx.now).map(drop)
                }
                _ => Ok(()),
            }
        });
        rolled?;
    }
    Ok(())
}
