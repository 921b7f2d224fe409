//! Replay: the game's whole history scored again by its present rules. A dry run says who would gain and lose; applying it
//! books the difference as new entries and never changes an old one.

use std::collections::{HashMap, HashSet};

use serde_json::json;
use uuid::Uuid;

use super::booking::{self, Booked, New};
use super::history::{self, Earned, Told};
use super::{Game, badges, criteria, find_locked, refuse, scoring, undoing};
use crate::db::Conn;
use crate::domain::game::history::Past;
use crate::domain::game::ledger::{Due, Entry, adjustments, changes};
use crate::domain::game::standing::{Key, Sum, standing};
use crate::domain::game::{Repeat, Revocation};
use crate::domain::permission::Act;
use crate::error::AppResult;
use crate::events;
use crate::features::games::dto::{ReplayChange, ReplayIn, ReplayOut};
use crate::features::games::store::{self, PIECE, ledger, players};
use crate::state::Ctx;

/// Changes listed in an answer at most; the counts are of all.
const LISTED: usize = 1_000;
/// As [`PIECE`].
const PIECE_I64: i64 = 500;

/// Scores the game again by its rules, or previews others.
///
/// # Errors
/// 403, 404, 409, 422.
pub fn replay(conn: &mut Conn, ctx: &Ctx, id: Uuid, input: ReplayIn, dry_run: bool) -> AppResult<ReplayOut> {
    let game = find_locked(conn, ctx, id, Act::WriteGame)?;
    game.require_open(ctx.now)?;
    let mut game = Game::clone(&game);
    if let Some(rules) = input.point_rules {
        if !dry_run {
            return Err(crate::error::AppError::field(
                "/point_rules",
                "only_dry_run",
                "Other rules can only be tried; save them with PATCH, then replay.",
            ));
        }
        game.settings.point_rules = rules;
        refuse(game.settings.faults())?;
        game.settings.name_rules();
    }
    let until = events::cursor(conn, scoring::CONSUMER.name)?;
    let mut past = history::past(conn, &game, None, until)?;
    if game.settings.revocation != Revocation::Revoke {
        past = history::keeping(conn, &game, past)?;
    }
    let (given, by_hand) = given(conn, &game, &past)?;
    let mut told = history::tell(conn, &game, None, until, &[past])?.pop().unwrap_or_default();
    told.history.due = standing(&told.history.due, &by_hand);
    let all = changes(&given, &told.history.due);
    let gained = all.iter().filter(|change| change.after > change.before).count();
    let points: i64 = all.iter().map(|change| change.after.saturating_sub(change.before)).sum();
    let out = ReplayOut {
        dry_run,
        gain: gained,
        lose: all.len().saturating_sub(gained),
        points_change: points,
        items: all
            .iter()
            .take(LISTED)
            .map(|change| ReplayChange {
                user_id: change.user,
                before: change.before,
                after: change.after,
                change: change.after.saturating_sub(change.before),
            })
            .collect(),
        truncated: all.len() > LISTED,
    };
    if !dry_run {
        apply(conn, ctx, &game, &given, told)?;
        let data = json!({"gain": out.gain, "lose": out.lose, "points_change": out.points_change});
        events::append(conn, ctx, vec![super::game::event("game.replayed", &game).data(data)])?;
    }
    Ok(out)
}

/// What players have of rules so far, with what people corrected of it by hand; and what these corrections come to, by cause. What
/// is settled is neither given nor due.
fn given(conn: &mut Conn, game: &Game, past: &Past) -> AppResult<(Vec<Due>, HashMap<Key, i64>)> {
    let keeps = game.settings.revocation != Revocation::Revoke;
    let mut given = Vec::new();
    let mut sums: HashMap<Key, Sum> = HashMap::new();
    for entry in ledger::corrections(conn, game.id())? {
        let (Some(event), Some(rule)) = (entry.event_id, entry.rule_key.as_deref()) else { continue };
        if !past.settled(event, rule) {
            let of = (Some(event), entry.rule_key.clone(), entry.user_id);
            sums.entry(of).or_default().add(entry.points, undoing::by(&entry));
            let counts = Entry { user: entry.user_id, team: entry.team_id, points: entry.points, at: entry.at };
            given.push(Due { event: Some(event), rule: entry.rule_key, entry: counts });
        }
    }
    let by_hand = sums.into_iter().map(|(key, sum)| (key, sum.by_hand(keeps))).collect();
    // Entries of replays that did not name their event.
    let mut nameless = HashSet::new();
    let mut after = None;
    loop {
        let page = ledger::by_rules(conn, game.id(), after, 5_000)?;
        let Some(last) = page.last() else { return Ok((given, by_hand)) };
        after = Some(last.id);
        for one in page {
            let counts = match (one.due.event, one.due.rule.as_deref()) {
                (Some(event), Some(rule)) => !past.settled(event, rule),
                // It takes back what is no rule's.
                _ if one.kind == "reversal" => one.corrects.is_some_and(|other| nameless.contains(&other)),
                _ => true,
            };
            if counts {
                if one.due.event.is_none() {
                    nameless.insert(one.id);
                }
                given.push(one.due);
            }
        }
    }
}

fn apply(conn: &mut Conn, ctx: &Ctx, game: &Game, given: &[Due], told: Told) -> AppResult<()> {
    let entries: Vec<New> = adjustments(given, &told.history.due)
        .into_iter()
        .map(|Due { event, rule, entry }| New {
            user: entry.user,
            team: entry.team,
            points: entry.points,
            kind: "replay",
            rule,
            reason: "The rules were changed and replayed.".to_owned(),
            event,
            corrects: None,
            dedup: None,
            at: entry.at,
            follows: false,
        })
        .collect();
    let scorer = &told.history.scorer;
    let each = game.settings.point_rules.iter().filter(|rule| rule.repeat == Repeat::Each);
    let things = scorer.things(&each.map(|rule| rule.key.as_str()).collect());
    ledger::forget_progress(conn, game.id())?;
    let changed: Vec<_> = scorer.changed().into_iter().map(|((rule, user), had)| (rule.as_str(), *user, had)).collect();
    ledger::save_progress(conn, game.id(), &changed)?;
    ledger::add_things(conn, game.id(), &things.into_iter().collect::<Vec<_>>())?;
    for piece in entries.chunks(PIECE) {
        booking::book(conn, ctx, game, piece.to_vec())?;
    }
    // Badges that the history earns; none for what came before one was taken back.
    let revoked = store::badges::last_revoked(conn, game.id())?;
    let since = |one: &Earned| revoked.get(&(one.grant.badge, one.grant.user)).is_none_or(|at| one.at > *at);
    badges::grant(conn, ctx, game, told.earned.into_iter().filter(since).map(|one| one.grant).collect())?;
    // Whoever has neither gained nor lost points may still have had them of a rule, or on so many days, more or less often than
    // before.
    let all = Booked { recheck: true, ..Booked::default() };
    let mut after = None;
    loop {
        let users = players::ids(conn, game.id(), after, PIECE_I64)?;
        let Some(last) = users.last() else { return Ok(()) };
        after = Some(*last);
        booking::recount(conn, game, &users)?;
        criteria::by_criteria(conn, ctx, game, &users, &all)?;
    }
}
