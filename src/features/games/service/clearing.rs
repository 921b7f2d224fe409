//! Flags that say nothing true any more: a cause that was corrected holds again, so nothing would be taken back if they were
//! confirmed. They close by themselves; what people decided before stays as they decided.

use serde_json::json;
use uuid::Uuid;

use super::badges::cause_flag;
use super::{Game, undoing};
use crate::db::Conn;
use crate::domain::game::Revocation;
use crate::error::AppResult;
use crate::events;
use crate::features::games::store::badges;
use crate::features::games::store::ledger::{self, EntryRow};
use crate::features::games::store::players::{self, FlagRow};
use crate::state::Ctx;

/// Why a flag was closed.
const NOTE: &str = "Closed by itself: what it was given for holds again.";

/// Closes the flags about these players that say nothing true any more, by all that the log has up to a position.
///
/// # Errors
/// Database errors.
pub(super) fn clear(conn: &mut Conn, ctx: &Ctx, game: &Game, users: &[Uuid], until: i64) -> AppResult<()> {
    let asks = game.settings.revocation == Revocation::Review
        || game.badges.iter().any(|badge| badge.revocation == Revocation::Review);
    if !asks || users.is_empty() {
        return Ok(());
    }
    let mut log = Vec::new();
    for flag in players::open_about_causes(conn, game.id(), users)? {
        if award_holds(conn, ctx, game, &flag, until)? || entry_holds(conn, ctx, game, &flag, until)? {
            let data = json!({"flag_id": flag.id, "resolution": "dismissed"});
            log.push(super::game::event("game.flag_resolved", game).user(flag.user_id).data(data));
            let (state, note, resolved_at) = ("dismissed".to_owned(), Some(NOTE.to_owned()), Some(ctx.now));
            players::resolve(conn, &FlagRow { state, note, resolved_at, ..flag })?;
        }
    }
    events::append(conn, ctx, log)
}

/// Asks again about entries whose flags closed by themselves because other deeds would have earned as much, when those do not hold
/// any more either. What people let stand is not asked again.
///
/// # Errors
/// Database errors.
pub(super) fn ask_again(conn: &mut Conn, ctx: &Ctx, game: &Game, users: &[Uuid], until: i64) -> AppResult<()> {
    let closed = players::closed_about_causes(conn, game.id(), users)?;
    if closed.is_empty() {
        return Ok(());
    }
    let decided = players::dismissed(conn, game.id(), users)?;
    let mut closed: Vec<Uuid> = closed.into_iter().filter(|entry| !decided.contains(entry)).collect();
    closed.sort_unstable();
    let mut wrong = Vec::new();
    for id in closed {
        if let Some(entry) = ledger::find(conn, game.id(), id)?
            && holds(conn, ctx, game, &entry, until)? == Some(false)
        {
            wrong.push(entry);
        }
    }
    let wrong = players::without_flag(conn, game.id(), wrong)?;
    let flags = wrong.iter().map(|entry| cause_flag(ctx, game.id(), entry.user_id, Some(entry.id), None));
    players::raise(conn, &flags.collect::<Vec<_>>())
}

/// Whether a deed earns the badge that a flag is about; then it is held for that.
fn award_holds(conn: &mut Conn, ctx: &Ctx, game: &Game, flag: &FlagRow, until: i64) -> AppResult<bool> {
    let Some(award) = flag.award_id else { return Ok(false) };
    let Some(award) = badges::find_award(conn, award)?.filter(|award| award.state == "review") else {
        return Ok(false);
    };
    let Some(other) = undoing::other_cause(conn, game, &award, until)? else { return Ok(false) };
    badges::rest_on(conn, std::slice::from_ref(&other))?;
    badges::set_state(conn, &[other.id], "held", None, ctx.now)?;
    Ok(true)
}

/// The same of the entry that a flag is about.
fn entry_holds(conn: &mut Conn, ctx: &Ctx, game: &Game, flag: &FlagRow, until: i64) -> AppResult<bool> {
    let Some(entry) = flag.entry_id else { return Ok(false) };
    let Some(entry) = ledger::find(conn, game.id(), entry)? else { return Ok(false) };
    Ok(holds(conn, ctx, game, &entry, until)? == Some(true))
}

/// Whether nothing would be lost by taking back what is not due of an entry: it is due, or other deeds would earn as much instead.
/// None when nothing is left of it.
fn holds(conn: &mut Conn, ctx: &Ctx, game: &Game, entry: &EntryRow, until: i64) -> AppResult<Option<bool>> {
    let Some(gave) = undoing::gave(conn, game, entry)? else { return Ok(None) };
    let left = gave.left_of(entry.id).unwrap_or(0);
    if left <= 0 {
        return Ok(None);
    }
    let wrong = left.min(undoing::not_due(conn, game, entry, &gave, until)?);
    Ok(Some(wrong <= 0 || wrong <= undoing::regained(conn, ctx, game, entry, until)?))
}
