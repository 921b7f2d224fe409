//! Use cases about players: how they are shown, and flags for review.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::booking::{self, key_of};
use super::points::referee;
use super::{Game, badges, criteria, ending, find, find_locked, read, scoring, undoing};
use crate::db::Conn;
use crate::db::page::{PageRequest, Rows};
use crate::domain::game::Display;
use crate::domain::game::pseudonym::pseudonym;
use crate::domain::game::streak::Streak;
use crate::domain::permission::{Act, Relation};
use crate::error::{AppError, AppResult, Code};
use crate::events;
use crate::features::games::dto::{
    FlagOut, FlagQuery, FlagResolution, GameDisplay, PlayerOut, PreferencesIn, PreferencesOut, ResolveFlagIn,
};
use crate::features::games::store::boards::{self, Change, Standing};
use crate::features::games::store::ledger::EntryRow;
use crate::features::games::store::players::{self as store, FlagRow, Player};
use crate::features::games::store::ranking::{self, Move};
use crate::features::games::store::{badges as badge_store, games, ledger};
use crate::state::Ctx;

/// How the caller is shown.
///
/// # Errors
/// 403 for clients.
pub fn preferences(conn: &mut Conn, ctx: &Ctx) -> AppResult<PreferencesOut> {
    let user = ctx.user()?;
    ctx.require(Act::ManageOwnAccount, &Relation { own: true, ..Relation::default() })?;
    Ok(PreferencesOut {
        display: store::preferences(conn, &[user])?.get(&user).copied(),
        games: store::overrides(conn, user)?
            .into_iter()
            .map(|(game_id, display)| GameDisplay { game_id, display })
            .collect(),
    })
}

/// Says how the caller wants to be shown, in all games or in one. In games that are open, who hides leaves the leaderboards at
/// once and who shows up again stands where the points say; in a closed game the places of all others stay as they were.
///
/// # Errors
/// 403, 404.
pub fn set_preferences(conn: &mut Conn, ctx: &Ctx, input: &PreferencesIn) -> AppResult<PreferencesOut> {
    let user = ctx.user()?;
    ctx.require(Act::ManageOwnAccount, &Relation { own: true, ..Relation::default() })?;
    let display = input.display.value().copied();
    match input.game_id {
        None => store::set_preference(conn, user, display, ctx.now)?,
        Some(game) => {
            let game = find_locked(conn, ctx, game, Act::Play)?;
            let known = store::find(conn, game.id(), &[user])?.get(&user).copied();
            let fresh = Player { display: None, streak: Streak::default(), joined_at: ctx.now };
            let player = Player { display, ..known.unwrap_or(fresh) };
            store::save(conn, game.id(), &[(user, player)])?;
        }
    }
    relist(conn, user, input.game_id)?;
    preferences(conn, ctx)
}

/// Brings the leaderboards of open games in line with what a user prefers.
fn relist(conn: &mut Conn, user: Uuid, only: Option<Uuid>) -> AppResult<()> {
    let ids = boards::open_games_of(conn, user, only)?;
    let rows = games::lock_all(conn, &ids)?;
    let shown: HashMap<Uuid, Display> = {
        let own: HashMap<Uuid, Display> = store::overrides(conn, user)?.into_iter().collect();
        let preferred = store::preferences(conn, &[user])?.get(&user).copied();
        read(conn, rows)?
            .iter()
            .map(|game| (game.id(), own.get(&game.id()).copied().or(preferred).unwrap_or(game.settings.display)))
            .collect()
    };
    let (mut moves, mut changed) = (Vec::new(), Vec::new());
    for (board, game, old) in boards::of_player(conn, user, only)? {
        let listed = shown.get(&game) != Some(&Display::Hidden);
        if old.listed != listed {
            let new = Standing { listed, ..old };
            moves.push(Move { board, old: key_of(user, &old), new: key_of(user, &new) });
            changed.push(Change { board, user, new, old: None });
        }
    }
    boards::save(conn, &changed)?;
    ranking::apply(conn, &moves)
}

/// The players whom the actor sees, as they are shown: who hides, only to those who run the game and to oneself.
///
/// # Errors
/// Database errors.
pub fn seen(conn: &mut Conn, ctx: &Ctx, game: &Game, users: &[Uuid]) -> AppResult<BTreeMap<Uuid, PlayerOut>> {
    let all = referee(ctx, game);
    let shown = shown_or_hidden(conn, ctx, game, users)?.into_iter();
    Ok(shown.filter(|(_, (out, hidden))| all || out.me || !hidden).map(|(user, (out, _))| (user, out)).collect())
}

/// How players are shown to the actor, real names to those who run the game and to oneself; each with whether the player hides.
///
/// # Errors
/// Database errors.
pub fn shown_or_hidden(
    conn: &mut Conn,
    ctx: &Ctx,
    game: &Game,
    users: &[Uuid],
) -> AppResult<BTreeMap<Uuid, (PlayerOut, bool)>> {
    let displays = booking::display_of(conn, game, users)?;
    let names = store::names(conn, users)?;
    let all = referee(ctx, game);
    let me = ctx.actor.user_id();
    Ok(users
        .iter()
        .map(|user| {
            let display = displays.get(user).copied().unwrap_or_default();
            let named = all || me == Some(*user) || display == Display::Named;
            let name = match names.get(user) {
                Some((given, family)) if named => format!("{given} {family}"),
                _ => pseudonym(game.row.seed, *user),
            };
            let out = PlayerOut {
                id: named.then_some(*user),
                name,
                pseudonym: (all || me == Some(*user))
                    .then(|| pseudonym(game.row.seed, *user))
                    .filter(|_| display != Display::Named),
                me: me == Some(*user),
            };
            (*user, (out, display == Display::Hidden))
        })
        .collect())
}

fn flag_out(row: FlagRow) -> FlagOut {
    FlagOut {
        id: row.id,
        user_id: row.user_id,
        kind: row.kind,
        detail: row.detail,
        entry_id: row.entry_id,
        award_id: row.award_id,
        state: row.state,
        note: row.note,
        resolved_by: row.resolved_by,
        resolved_at: row.resolved_at,
        at: row.at,
    }
}

/// A page of flags, for those who run the game.
///
/// # Errors
/// 403, 404.
pub fn flags(conn: &mut Conn, ctx: &Ctx, id: Uuid, query: &FlagQuery, page: &PageRequest) -> AppResult<Rows<FlagOut>> {
    let game = find(conn, ctx, id, Act::RefereeGame)?;
    Ok(store::flags(conn, game.id(), query.state.map(|s| s.as_str()), page)?.map(flag_out))
}

/// Takes back what is not due any more of an entry, because a flag was confirmed. What other deeds would have earned without it is
/// given for them.
fn take_back(conn: &mut Conn, ctx: &Ctx, game: &Game, entry: &EntryRow, flag: Uuid) -> AppResult<()> {
    let gave = undoing::gave(conn, game, entry)?;
    let left = match gave.as_ref().and_then(|gave| gave.left_of(entry.id)) {
        Some(left) => left,
        None => {
            let corrected = ledger::corrected(conn, &[entry.id])?.get(&entry.id).copied().unwrap_or(0);
            entry.points.saturating_add(corrected)
        }
    };
    let until = events::cursor(conn, scoring::CONSUMER.name)?;
    let points = match &gave {
        Some(gave) if left > 0 => left.min(undoing::not_due(conn, game, entry, gave, until)?.max(0)),
        _ => left,
    };
    if points == 0 {
        return Ok(());
    }
    let mut back = undoing::reversal(entry, points.saturating_neg());
    let mut follows = Vec::new();
    if points == left && gave.as_ref().is_none_or(|gave| gave.sum.by_rules() > 0) {
        follows = undoing::let_go(conn, ctx, game, entry, left)?;
    } else {
        // A part of it: it may be followed by another.
        back.kind = "correction";
        back.dedup = Some(format!("{}{flag}", undoing::FLAGGED));
    }
    let mut booked = booking::book(conn, ctx, game, std::iter::once(back).chain(follows).collect())?;
    booked.recheck = true;
    criteria::by_criteria(conn, ctx, game, &[entry.user_id], &booked)
}

/// Resolves a flag. Dismissed, all stays, and a prize that waited for it is given. Confirmed, the points or badge that it is about
/// are taken back; a flag about a player, raised by the guard, is about no entry, so it takes nothing back by itself, but the
/// player gets no prize of the game: the place is the player's, the prize is nobody's. So it is with points of a game that is
/// closed, whose standings are final.
///
/// # Errors
/// 403, 404, 409.
pub fn resolve(conn: &mut Conn, ctx: &Ctx, id: Uuid, flag: Uuid, input: ResolveFlagIn) -> AppResult<FlagOut> {
    let game = find_locked(conn, ctx, id, Act::RefereeGame)?;
    let mut row = store::flag(conn, id, flag)?.ok_or_else(|| AppError::not_found("flag"))?;
    if row.state != "open" {
        return Err(AppError::new(Code::WrongState, "The flag was resolved already."));
    }
    let confirmed = input.resolution == FlagResolution::Confirmed;
    // The standings of a game that is over are final, so the points stay; a prize for them does not.
    let over = game.row.status != "open";
    if confirmed && row.entry_id.is_some() && !over {
        game.require_open(ctx.now)?;
    }
    if let Some(entry) = row.entry_id.filter(|_| confirmed && !over) {
        let entry = ledger::find(conn, id, entry)?.ok_or_else(|| AppError::internal("a flag without its entry"))?;
        take_back(conn, ctx, &game, &entry, flag)?;
    }
    if let Some(award) = row.award_id
        && let Some(award) = badge_store::find_award(conn, award)?.filter(|award| award.state == "review")
    {
        let until = events::cursor(conn, scoring::CONSUMER.name)?;
        if confirmed && let Some(other) = undoing::other_cause(conn, &game, &award, until)? {
            badge_store::rest_on(conn, std::slice::from_ref(&other))?;
            badge_store::set_state(conn, &[other.id], "held", None, ctx.now)?;
        } else if confirmed {
            let user = award.user_id;
            badges::revoke_all(conn, ctx, &game, &[award], "Its cause was corrected or taken back.")?;
            if !over {
                criteria::by_criteria(conn, ctx, &game, &[user], &booking::Booked::default())?;
            }
        } else {
            badge_store::set_state(conn, &[award.id], "held", None, ctx.now)?;
        }
    }
    row.state = input.resolution.as_str().to_owned();
    row.note = input.note;
    row.resolved_by = ctx.actor.id();
    row.resolved_at = Some(ctx.now);
    store::resolve(conn, &row)?;
    let refuse = confirmed && row.award_id.is_none() && (row.entry_id.is_none() || over);
    ending::release(conn, ctx, &game, row.user_id, refuse)?;
    let data = serde_json::json!({"flag_id": row.id, "resolution": row.state});
    events::append(conn, ctx, vec![super::game::event("game.flag_resolved", &game).user(row.user_id).data(data)])?;
    Ok(flag_out(row))
}
